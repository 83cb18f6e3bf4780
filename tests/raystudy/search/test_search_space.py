"""The search space: read from YAML, replaced and pinned by the user, written as overrides."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from raystudy.config import compose
from raystudy.config.hydra_files import Composed
from raystudy.errors import UserError
from raystudy.search import axes, sweep_syntax
from raystudy.search.search_space import SearchSpace, literal

SETTINGS = {
    "optimizer": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    "method": {"num_clusters": 8, "target": "hard"},
    "attack": {"step_size": 8 / 255, "steps": 7},
}
SECTION = {
    "optimizer.lr": {"type": "float", "low": 0.01, "high": 0.5, "log": True},
    "method.num_clusters": {"type": "int", "low": 4, "high": 64, "log": True},
    "attack": {"type": "categorical", "choices": ["pgd_linf", "fgsm_linf"]},
}


def read(section=None, overrides=()):
    plain, swept = sweep_syntax.split(overrides)
    leaves = [text for text in plain if "." in text.partition("=")[0]]
    merged = OmegaConf.merge(SETTINGS, OmegaConf.from_dotlist(leaves))
    composed = Composed(merged, {"attack": "pgd_linf", "data": "digits"})
    return SearchSpace.read(SECTION if section is None else section, composed, plain, swept)


def axis(override):
    path = override.partition("=")[0]
    return read(overrides=[override]).distributions[path]


def test_reads_axes_and_what_is_published():
    space = read()
    assert space.distributions == {
        "optimizer.lr": FloatDistribution(0.01, 0.5, log=True),
        "method.num_clusters": IntDistribution(4, 64, log=True),
        "attack": CategoricalDistribution(["pgd_linf", "fgsm_linf"]),
    }
    assert space.published == {
        "optimizer.lr": 0.1,
        "method.num_clusters": 8,
        "attack": "pgd_linf",
    }
    assert space.axes == {
        "optimizer.lr": "0.01 to 0.5 (log)",
        "method.num_clusters": "4 to 64 (whole, log)",
        "attack": "pgd_linf, fgsm_linf",
    }
    assert space.notes == ()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"type": "float", "low": 0.2, "high": 0.5}, "recipe's value 0.1 is not among 0.2 to 0.5"),
        ({"type": "float", "low": 0.2, "high": 0.5}, "such as 'optimizer.lr=interval(low,high)'"),
        ({"type": "categorical", "choices": [0.3]}, "such as 'optimizer.lr=choice(0.1,0.3)'"),
        ({"type": "float", "low": 0.5, "high": 0.2}, "low must not be above high"),
        ({"type": "float", "low": 0, "high": 1, "log": True}, "starts above 0"),
        ({"type": "float", "low": "x", "high": 1}, "must be numbers"),
        ({"type": "float", "low": 0, "hi": 1}, "has the keys high, log, low, step"),
        ({"type": "real", "low": 0, "high": 1}, "float, int or categorical"),
        ({"type": "int", "low": 0.5, "high": 1}, "must be whole"),
        ({"type": "float", "low": 0, "high": 1, "step": 0}, "step must be above 0"),
        ({"type": "categorical", "choices": []}, "must be a list"),
        ({"type": "categorical", "choices": [[1]]}, "must be numbers, words"),
        (None, "float, int or categorical"),
    ],
)
def test_an_axis_that_makes_no_sense_is_refused_in_a_sentence(entry, words):
    with pytest.raises(UserError, match=r"search\.optimizer\.lr: ") as error:
        read({"optimizer.lr": entry})
    assert words in str(error.value)


def test_an_axis_over_no_setting_is_refused():
    with pytest.raises(UserError, match=r"optimizer\.rate"):
        read({"optimizer.rate": {"type": "float", "low": 0, "high": 1}})


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optimizer.lr=interval(0.05,1)", FloatDistribution(0.05, 1.0)),
        ("optimizer.lr=tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("optimizer.lr=choice(0.1,0.2)", CategoricalDistribution([0.1, 0.2])),
        ("optimizer.lr=range(0.1,0.5,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("method.num_clusters=interval(2,32)", IntDistribution(2, 32)),
        ("method.num_clusters=range(2,9,2)", IntDistribution(2, 8, step=2)),
        ("method.num_clusters=range(9,1,-2)", IntDistribution(3, 9, step=2)),
        ("method.target=choice(hard,'soft one')", CategoricalDistribution(["hard", "soft one"])),
        ("optimizer.nesterov=choice(true,false)", CategoricalDistribution([True, False])),
        ("attack=choice(pgd_linf,pgd_l2)", CategoricalDistribution(["pgd_linf", "pgd_l2"])),
        ("attack.steps=range(1,9)", IntDistribution(1, 8)),
    ],
)
def test_the_user_replaces_and_adds_axes(override, expected):
    assert axis(override) == expected


def test_glob_takes_the_options_there_are():
    assert axis("attack=glob(pgd_l*)") == CategoricalDistribution(["pgd_l1", "pgd_l2", "pgd_linf"])


def test_a_plain_override_pins():
    space = read(overrides=["optimizer.lr=0.3", "optimizer.momentum=0.8"])
    assert list(space.distributions) == ["method.num_clusters", "attack"]
    assert space.overrides == ("optimizer.lr=0.3", "optimizer.momentum=0.8")


def test_swept_axes_are_no_overrides_of_a_trial():
    assert read(overrides=["optimizer.lr=choice(0.1,0.2)"]).overrides == ()


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("optimizer.lr=interval(0.2,1)", 0.2),
        ("optimizer.lr=interval(0.01,0.05)", 0.05),
        ("optimizer.lr=choice(0.5,0.11,0.3)", 0.11),
        ("method.num_clusters=range(1,12,5)", 6),
        ("attack=choice(pgd_l2,pgd_l1)", "pgd_l2"),
    ],
)
def test_trial_0_takes_the_nearest_value_and_says_so(override, start):
    space = read(overrides=[override])
    path = override.partition("=")[0]
    assert space.published[path] == start
    assert f"trial 0 runs {path}={start}" in " ".join(space.notes)


def test_a_linear_interval_over_a_log_axis_is_noted():
    (note,) = read(overrides=["optimizer.lr=interval(0.05,1)"]).notes
    assert "optimizer.lr=tag(log,interval(0.05,1))" in note


def test_a_bare_list_is_refused_with_the_fix():
    with pytest.raises(UserError, match=r"write 'optimizer\.lr=choice\(0\.1,0\.2\)'"):
        read(overrides=["optimizer.lr=0.1,0.2"])


@pytest.mark.parametrize("override", ["+optimizer.x=choice(1,2)", "optimizer.y=choice(1,2)"])
def test_only_a_setting_that_exists_can_be_searched(override):
    with pytest.raises(UserError, match=r"optimizer\.[xy]"):
        read(overrides=[override])


def test_an_axis_below_an_option_the_user_chose_may_be_missing():
    section = SECTION | {"attack.decay": {"type": "float", "low": 0, "high": 1}}
    space = read(section, overrides=["attack=fgsm_linf"])
    assert "attack.decay" not in space.distributions
    assert "attack.decay is not searched" in space.notes[0]
    with pytest.raises(UserError, match=r"no setting 'attack\.decay'"):
        read(section)


def test_size_counts_configurations():
    assert read().size is None
    discrete = ["optimizer.lr=choice(0.1,0.2)", "method.num_clusters=range(2,9,2)"]
    assert read(overrides=discrete).size == 2 * 4 * 2
    assert read(overrides=["optimizer.lr=1", "method.num_clusters=1", "attack=x"]).size == 1


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])),
    st.sampled_from(["true", "NULL", "nan", "1e5", "0x10", "a,b", "it's", 'say "x"', "\\", "${x}"]),
)


@given(values)
def test_overrides_give_back_the_very_same_value(value):
    (override,) = SearchSpace(
        distributions={"a.b": CategoricalDistribution([value])}, published={"a.b": value}
    ).as_overrides({"a.b": value})
    parsed = OverridesParser.create().parse_override(override)
    assert not parsed.is_sweep_override()
    assert parsed.value() == value
    assert type(parsed.value()) is type(value)


@settings(max_examples=20)
@given(st.floats(1e-8, 1e8), st.integers(-(2**40), 2**40))
def test_floats_and_ints_survive_hydra_bit_for_bit(number, whole):
    shared = compose.load_shared([f"seed={literal(whole)}", f"max_epochs={literal(number)}"])
    assert (shared.seed, shared.max_epochs) == (whole, number)


@given(
    st.floats(-1e6, 1e6),
    st.one_of(
        st.builds(FloatDistribution, st.floats(-1e3, 0), st.floats(1e-3, 1e3)),
        st.builds(IntDistribution, st.integers(-100, 0), st.integers(1, 100)),
        st.builds(
            lambda low, steps, step: IntDistribution(low, low + steps * step, step=step),
            st.integers(-100, 100),
            st.integers(0, 20),
            st.integers(1, 9),
        ),
    ),
)
def test_the_nearest_value_is_on_the_axis_and_none_is_nearer(value, distribution):
    found = axes.nearest(distribution, value)
    assert axes.fitted(distribution, found) == found
    count = axes.count(distribution)
    others = [axes.at(distribution, i) for i in range(count or 0)]
    others += [distribution.low, distribution.high]
    assert all(abs(found - value) <= abs(other - value) for other in others)


def test_a_study_of_the_users_own_is_read_with_its_options(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "defaults: [base, _self_]\n"
        "max_epochs: 4\n"
        "study: {name: mine}\n"
        "search:\n"
        "  attack: {type: categorical, choices: [pgd_linf, fgsm_linf]}\n"
        '  attack.step_size: {type: float, low: "${pixels:1}", high: "${pixels:64}"}\n'
    )
    space, composed = SearchSpace.load("mine", ["max_epochs=choice(2,4)"], [str(tmp_path)])
    assert space.published == {
        "attack": "pgd_linf",
        "attack.step_size": composed.config.attack.step_size,
        "max_epochs": 4,
    }
    few = ["max_epochs=choice(2,4)", "attack=pgd_linf", "attack.step_size=0.1"]
    space_of_two, _ = SearchSpace.load("mine", few, [str(tmp_path)])
    assert space_of_two.notes == ("there are only 2 configurations for study.num_trials=8.",)
    params = {"attack": "fgsm_linf", "attack.step_size": 0.1 + 0.2, "max_epochs": 2}
    trial = compose.compose("mine", space.as_overrides(params), [str(tmp_path)])
    assert trial.choices["attack"] == "fgsm_linf"
    assert (trial.config.attack.step_size, trial.config.max_epochs) == (0.1 + 0.2, 2)
