"""What a plan tells of a search, and what it refuses."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from raystudy.cli import plan
from raystudy.config.spec import StudySpec
from raystudy.errors import UserError
from raystudy.interface import plan_table, sweep
from raystudy.search import trial_scheduler
from raystudy.search.search_space import SearchSpace
from raystudy.storage import provenance
from raystudy.study.plan import check
from raystudy.trial.build import build_evaluators
from trainables.data.digits import digits
from trainables.evaluate.base import images_of
from trainables.rehearsal import Rehearsal

FINDINGS = check.Findings("8 train, 4 val, 4 test; 2 classes, 1x8x8", 100, digits())


def told(*overrides):
    space, composed = SearchSpace.load("swaro", ["tracker=none", *overrides])
    console = Console(file=io.StringIO(), width=250)
    plan_table.show(console, composed.config, space, FINDINGS, None)
    return console.file.getvalue()


@pytest.fixture(autouse=True)
def no_gpus(monkeypatch):
    monkeypatch.setattr(provenance, "gpus", str)


def test_gpus_that_lie_idle_are_told(monkeypatch):
    monkeypatch.setattr(provenance, "gpus", lambda: "2 x NVIDIA H100")
    assert "with scaling.use_gpu=true they use 2 x NVIDIA H100" in told()
    assert "NVIDIA" not in told("scaling.use_gpu=true")


def test_a_plain_plan_tells_nothing_of_what_was_not_asked():
    words = told()
    assert "SuccessiveHalvingPruner" in words
    for what in ("subject to", "budget", "warm start", "points", "note"):
        assert what not in words


def test_objectives_constraints_budget_and_points_are_told():
    words = told(
        "study.objectives=[val/accuracy,val/robust_accuracy]",
        'study.constraints=["val/robust_accuracy >= 0.35"]',
        "study.budget.flops=2e15",
        "study.budget.wall_hours=3",
        "study.points=[{optimizer.lr:2.5}]",
    )
    assert "maximize val/accuracy, maximize val/robust_accuracy" in words
    assert "subject to  val/robust_accuracy >= 0.35" in words
    assert "2e+15 FLOPs, 3 hours; once it is spent no trial is launched" in words
    assert "1 set by study.points, after trial 0" in words
    assert "ParetoHalving" in words


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_sampler_that_cannot_use_constraints_is_named(sampler):
    words = told(f"sampler={sampler}", 'study.constraints=["val/accuracy >= 0.35"]')
    assert "ignores study.constraints when sampling" in words


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "cmaes"])
def test_a_sampler_that_uses_constraints_needs_no_note(sampler):
    words = told(f"sampler={sampler}", 'study.constraints=["val/accuracy >= 0.35"]')
    assert "when sampling" not in words


def test_a_median_under_constraints_is_told_to_be_blind():
    words = told("trial_scheduler=median", 'study.constraints=["val/accuracy >= 0.35"]')
    assert "MedianPruner stops trials by the objective alone" in words


def test_an_earlier_study_that_is_not_there_is_told(tmp_path):
    assert "no study 'x-1'" in told("study.warm_start=x-1", f"output_dir={tmp_path}")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ('study.constraints=["val/nothing >= 0.3"]', "study.constraints: no evaluator measures"),
        ("study.objectives=[val/nothing]", "study.objectives: no evaluator measures"),
        ("study.constraints=[val/accuracy]", "study.constraints: cannot read 'val/accuracy'"),
        ("study.budget.images=-1", "study.budget.images must be above 0 or null, got -1"),
        ("study.warm_start=x-1", "no study 'x-1'"),
        ("device=cuda", "device=cuda, but scaling.use_gpu=false"),
    ],
)
def test_what_no_trial_could_satisfy_is_refused(tmp_path, override, words):
    _, composed = SearchSpace.load("swaro", ["tracker=none", f"output_dir={tmp_path}", override])
    with pytest.raises(UserError) as error:
        check.check_plan(composed.config)
    assert words in str(error.value)


def test_a_gpu_that_is_asked_for_is_used():
    _, composed = SearchSpace.load("swaro", ["device=cpu", "scaling.use_gpu=true"])
    with pytest.raises(UserError, match="device=cpu, but scaling"):
        check.check_plan(composed.config)


def test_several_objectives_refuse_a_median():
    both = "study.objectives=[val/accuracy,val/robust_accuracy]"
    _, composed = SearchSpace.load("swaro", ["trial_scheduler=median", both])
    with pytest.raises(UserError, match="must be asha or none with several objectives"):
        trial_scheduler.read_trial_scheduler(composed.config, StudySpec.read(composed.config.study))


def test_a_rung_before_the_latest_switch_is_told_before_anything_runs():
    words = told("clusters.warmup=interval(0.1,0.7)")
    assert "The rung at epoch 5 cannot see clusters.warmup yet, which acts up to epoch 7" in words
    assert "cannot see" not in told("clusters.warmup=interval(0.1,0.7)", "min_epochs=8")


@pytest.mark.parametrize(
    ("name", "evaluator", "measures"),
    [
        ("swaro", "probe", {"val/knn_accuracy": 359, "val/accuracy": 359}),
        ("fast_at", "classifier", {"val/accuracy": 359}),
    ],
)
def test_a_study_records_on_how_many_images_it_measures(name, evaluator, measures):
    settings = SearchSpace.load(name, ["data=digits", f"evaluate.{evaluator}.max_images=50"])
    splits = digits()
    evaluators = build_evaluators(settings[1].config)
    measures |= {"val/robust_accuracy": 50}
    assert len(splits.val) == 359
    assert images_of(evaluators.values(), splits) == measures
    elsewhere = {"mine": object()}  # an evaluator of a user's own that does not say
    assert images_of(elsewhere.values(), splits) == {}


def test_where_the_search_varies_what_is_measured_no_count_is_recorded():
    findings = replace(FINDINGS, measured_on={"val/accuracy": 360})
    fixed = SearchSpace.load("swaro", [])[0]
    assert sweep.measured_on(fixed, findings) == {"val/accuracy": 360}
    varied = SearchSpace.load("swaro", ["evaluate.probe.max_images=choice(50,100)"])[0]
    assert sweep.measured_on(varied, findings) == {}


@pytest.mark.parametrize(
    ("step_s", "epochs", "words"),
    [
        (0.3, 10, "20 s of compiling pay after 100 steps, a trial has 490"),
        (0.3, 2, "pay after 100 steps, a trial has 98: trainer.compile=false is faster"),
        (0.6, 10, "0.6 s, without compiling 0.5 s: it does not pay here"),
    ],
)
def test_whether_compiling_pays_is_told(step_s, epochs, words):
    recipe = Rehearsal(
        preparation_s=0.0,
        first_s=1.0,
        step_s=step_s,
        steps=50,
        evaluation_s=0.0,
        passes=1.0,
        compile_s=20.0,
    )
    assert words in plan._compiled(recipe, 0.5, epochs)
