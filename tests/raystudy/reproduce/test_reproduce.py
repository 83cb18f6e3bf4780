"""`raystudy reproduce` on a table of two small rows: run, judged again, refused."""

import json

import pytest
from annotated_folders import picture, voc07_folder

from raystudy.cli.main import main
from raystudy.config import catalogue
from raystudy.errors import EXIT_DONE, EXIT_FAILED, EXIT_WRONG_INPUT

TABLE = """\
title: two methods
source: Mine Table 1
suite: suncet_table4
data: digits
protocol: knn_10
columns:
  neighbours: {}
rows:
  SimCLR: {study: simclr, where: {max_epochs: 1}, printed: "90.0"}
  SuNCEt: {study: own, where: {labels.switch_off: 1}, printed: "95.0"}
claims:
  labels: {words: labels help, kind: greater, rows: [SuNCEt, SimCLR], columns: [neighbours]}
tiers:
  smoke:
    seeds: 1
    overrides: [max_epochs=1]
    suite: [suite.max_images=60, "~suite.protocols.npi", "~suite.protocols.npi_multiview"]
  full: {seeds: 2}
"""

OTHER = """\
title: one of them by another measure
source: Mine Table 2
suite: quick
data: digits
protocol: quick
columns:
  clean: {}
rows:
  Contrast: {study: simclr, where: {max_epochs: 1}, printed: "90.0"}
tiers:
  smoke:
    seeds: 1
    overrides: [max_epochs=1]
    suite: [suite.max_images=50, suite.checks=null]
"""


@pytest.fixture(name="mine", scope="module")
def write_table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("yaml")
    (folder / "published").mkdir()
    (folder / "published" / "mine_table1.yaml").write_text(TABLE)
    (folder / "published" / "mine_table2.yaml").write_text(OTHER)
    (folder / "own.yaml").write_text("defaults: [suncet, _self_]\n")
    recipe = folder / "recipe" / "own" / "digits.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text((catalogue.PACKAGED / "recipe/suncet/digits.yaml").read_text())
    return folder


@pytest.fixture(name="results", scope="module")
def run_table(mine, tmp_path_factory):
    home = tmp_path_factory.mktemp("results")
    words = ["reproduce", "mine/table1", f"--search-path={mine}", "tracker=none"]
    assert main([*words, f"output_dir={home}", "--save-reference"]) == EXIT_DONE
    return home


def document(results):
    return json.loads((results / "studies" / "mine-table1-smoke-1" / "reproduce.json").read_text())


def test_it_keeps_raw_runs_departures_and_verdicts(results):
    found = document(results)
    assert [(run["arm"], run["seed"], run["state"]) for run in found["runs"]] == [
        ("SimCLR", 0, "complete"),
        ("SuNCEt", 0, "complete"),
    ]
    for run in found["runs"]:
        (cell,) = run["cells"]
        assert cell["value"] == pytest.approx(100 * cell["right"] / 60)
    assert any("max_epochs: 1 for" in line for line in found["departures"])
    assert {cell["verdict"] for cell in found["cells"]} == {"not run"}


def test_a_paper_gets_its_table_in_latex(results):
    lines = (results / "studies/mine-table1-smoke-1/reproduce.tex").read_text().splitlines()
    assert lines[2].startswith(
        r"\caption{Mine Table 1, two methods: ours / the paper's, tier smoke."
    )
    assert [line for line in lines if "/ 9" in line] == [
        f"SimCLR & ${document(results)['cells'][0]['values']['0']:.2f} / 90.0$ \\\\",
        f"SuNCEt & ${document(results)['cells'][1]['values']['0']:.2f} / 95.0$ \\\\",
    ]
    assert sum(line.count("{") - line.count("}") for line in lines) == 0


def test_a_second_run_is_equal_bit_for_bit_to_its_reference(results, mine, capsys):
    words = ["reproduce", "mine/table1", f"--search-path={mine}", f"output_dir={results}"]
    assert main([*words, "--from", "mine-table1-smoke-1"]) == EXIT_DONE
    assert "equal bit for bit to the reference" in capsys.readouterr().out


def test_a_number_that_moved_fails(results, mine, capsys):
    path = mine / "published" / "references" / "mine_table1-smoke.json"
    before = path.read_text()
    kept = json.loads(before)
    kept["runs"][0]["cells"][0]["value"] += 1
    path.write_text(json.dumps(kept))
    assert main(["resume", "mine-table1-smoke-1", f"output_dir={results}"]) == EXIT_FAILED
    path.write_text(before)
    assert "differs from the reference of" in capsys.readouterr().out


def test_the_list_and_the_page_know_what_was_run(results, mine, tmp_path, capsys):
    words = ["reproduce", f"--search-path={mine}", f"output_dir={results}"]
    assert main([*words, "--json"]) == EXIT_DONE
    listed = {entry["table"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["mine/table1"]["tiers"]["smoke"]["study"] == "mine-table1-smoke-1"
    assert listed["swaro/table8"]["tiers"]["full"]["trainings"] == 27
    own = listed["mine/table1"]["tiers"]["full"]  # of a method that nobody has measured
    assert (own["trainings"], own["passes"], own["hours"]) == (4, None, None)
    assert main(words) == EXIT_DONE
    assert "4 trainings" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert main([*words, f"--page={page}"]) == EXIT_DONE
    assert "Mine Table 1" in page.read_text()
    assert "nobody has run it" in page.read_text()
    assert "the reference that comes with raystudy" in page.read_text()
    (figure2,) = (e for e in listed.values() if e["table"] == "fast_at/figure2")
    assert figure2["tiers"]["reduced"]["study"] is None
    assert figure2["tiers"]["reduced"]["reference"] is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine/tabel1"], "did you mean 'mine/table1'"),
        (["mine/table1", "--tier=reduced"], "cannot be run at --tier reduced"),
        (["mine/table1", "--tier=big"], "--tier is one of smoke, reduced, full"),
        (["mine/table1", "seed=3"], "seed: --tier smoke of mine/table1 runs seeds of its own"),
        (["mine/table1", "study.num_trials=3"], "limit it by study.budget"),
        (["mine/table1", "--seed", "3"], "--seed: the smoke tier repeats its reference"),
        (["mine/table1", "--tier=full", "--seed", "3", "x"], "--seed takes whole numbers, each on"),
        (["mine/table1", "--tier=full", "--seed", "3", "3"], "--seed takes whole numbers, each on"),
        (["mine/table1", "--row", "SimCLR"], "--row: the smoke tier repeats its reference"),
        (
            ["mine/table1", "--tier=full", "--row", "SimCRL"],
            "--row: this tier of mine/table1 has 'SimCLR', 'SuNCEt'; got 'SimCRL'",
        ),
        (
            ["swaro/table8", "--tier=reduced", "--row", "K=24"],
            "--row: this tier of swaro/table8 has",
        ),
        (["mine/table1", "--tier=full", "--row", "SimCLR", "seed=3"], "seed: --tier full"),
        (["mine/table1", "suite.max_images=3"], "the table decides what measures it"),
        (["mine/table1", "max_epohcs=3"], "did you mean 'max_epochs'"),
        (["mine/table1", "--from", "nope"], "no study 'nope'"),
        (
            ["swaro/table8", "--from", "mine-table1-smoke-1"],
            "none of its trainings is one of swaro/table8",
        ),
        (["mine/table1", "--from", "mine-table1-smoke-1", "mine-table1-smoke-1"], "given twice"),
        (["swaro/figure3"], "it is a picture without a number"),
    ],
)
def test_wrong_input_gets_a_sentence(results, mine, capsys, words, said):
    more = [f"--search-path={mine}", f"output_dir={results}"]
    place = words.index("--from") if "--from" in words else len(words)
    assert main(["reproduce", *words[:place], *more, *words[place:]]) == EXIT_WRONG_INPUT
    assert said in capsys.readouterr().err
    assert not (results / "studies" / "mine-table1-smoke-2").exists()


@pytest.fixture
def changed(mine):
    """The YAML of the second arm's method weighs its loss otherwise now."""
    path = mine / "own.yaml"
    before = path.read_text()
    path.write_text(f"{before}method: {{weight: 2.0}}\n")
    yield
    path.write_text(before)


@pytest.mark.parametrize(
    "words",
    [["resume", "mine-table1-smoke-1"], *(["replay", f"mine-table1-smoke-1/{n}"] for n in (0, 1))],
    ids=" ".join,
)
@pytest.mark.usefixtures("changed")
def test_every_arm_is_held_to_the_yaml_it_was_started_with(results, capsys, words):
    code = main([*words, f"output_dir={results}", *(["tracker=none"] if "replay" in words else [])])
    what = "SuNCEt of mine-table1-smoke-1" if words[0] == "resume" else words[1]
    said = f"{what} was started with method.weight=1.0, for which the YAML now"
    is_other = words[1].endswith("/0")  # of an arm whose YAML is as it was
    assert (code, said in capsys.readouterr().err) == ((0, False) if is_other else (2, True))


@pytest.mark.usefixtures("changed")
def test_weights_of_a_later_arm_are_taken_up_by_no_other_network(results, capsys):
    words = ["evaluate", "suite=suncet_table4", f"output_dir={results}"]
    assert main([words[0], "mine-table1-smoke-1/1", *words[1:]]) == EXIT_WRONG_INPUT
    assert "mine-table1-smoke-1/1 was started with" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["confirm"], ["compare"], ["extend"], ["report"], ["best"], ["status"]]
)
def test_other_verbs_know_a_reproduction(results, capsys, words):
    more = ["study.num_trials=+2"] if words == ["extend"] else []
    code = main([*words, "mine-table1-smoke-1", *more, f"output_dir={results}"])
    assert code == (EXIT_DONE if words[0] in ("report", "best", "status") else EXIT_WRONG_INPUT)
    assert "Traceback" not in capsys.readouterr().err


def test_one_of_its_trials_is_measured_like_any_other(results, capsys):
    words = ["evaluate", "mine-table1-smoke-1/1", "suite=suncet_table4", "suite.max_images=60"]
    more = ["~suite.protocols.npi", "~suite.protocols.npi_multiview", f"output_dir={results}"]
    assert main([*words, *more]) == EXIT_DONE
    assert "mine-table1-smoke-1/1" in capsys.readouterr().out


def test_a_table_takes_over_what_another_has_trained(results, mine, capsys):
    home = f"output_dir={results}"
    judging = ["reproduce", "mine/table2", f"--search-path={mine}", home, "--json", "--from"]
    assert main([*judging, "mine-table1-smoke-1"]) == EXIT_DONE
    found = json.loads(capsys.readouterr().out)
    (run,) = found["runs"]
    assert (run["arm"], run["study"], run["trial"]) == ("Contrast", "mine-table1-smoke-1", 0)
    (line,) = found["to_measure"]
    how = "suite=quick suite.max_images=50 suite.checks=null"
    assert line == f"raystudy evaluate mine-table1-smoke-1/0 {how}"
    assert main([*line.split()[1:], home]) == EXIT_DONE
    capsys.readouterr()
    assert main([*judging, "mine-table1-smoke-1"]) == EXIT_DONE
    found = json.loads(capsys.readouterr().out)
    assert found["cells"][0]["values"]["0"] > 10
    assert found["to_measure"] == []


def test_single_trainings_are_judged_like_a_studys(results, mine, capsys):
    home = f"output_dir={results}"
    judging = ["reproduce", "mine/table1", f"--search-path={mine}", home, "--json", "--from"]
    words = ["train", "simclr", "max_epochs=1", "tracker=none", home]
    assert main([*words, "seed=5", "study.id=alone"]) == EXIT_DONE
    assert main([*words, "study.id=another", "optimizer.lr=0.5"]) == EXIT_DONE
    capsys.readouterr()
    assert main([*judging, "alone"]) == EXIT_DONE
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert (run["arm"], run["seed"], run["state"], run["cells"]) == ("SimCLR", 5, "complete", [])
    assert main(["evaluate", "alone", "suite=suncet_table4", "tracker=none", home]) == EXIT_DONE
    capsys.readouterr()
    assert main([*judging, "alone"]) == EXIT_DONE
    found = json.loads(capsys.readouterr().out)
    (number,) = found["runs"][0]["cells"]
    assert found["cells"][0]["values"] == {"5": number["value"]}
    assert main([*judging, "another"]) == EXIT_WRONG_INPUT
    assert "it departs by optimizer.lr, 0.5 for 1.5" in capsys.readouterr().err
    (results / "studies/alone/trials/0000/last.ckpt").unlink()
    assert main([*judging, "alone"]) == EXIT_WRONG_INPUT
    assert "it has done 0 of 1 epochs" in capsys.readouterr().err


SCENES = """\
title: two methods on scenes
source: Mine Table 2
data: image_folder
columns:
  VOC07: {protocol: voc07_svm, score: mAP, measured_on: voc07, images: 12, unit: score}
rows:
  SimCLR: {study: simclr, where: {max_epochs: 1}, printed: "40.0"}
tiers:
  smoke:
    seeds: 2
    overrides: [encoder=small_conv, "encoder.widths=[4]", batch_size=4]
    suite: ["protocol.costs=[1.0]", protocol.folds=2, protocol.image_size=8]
"""


def test_a_downstream_task_measures_the_networks_of_a_table(mine, tmp_path, capsys):
    (mine / "published" / "mine_table2.yaml").write_text(SCENES)
    for number in range(40):
        kind = "ab"[number % 2]
        picture(tmp_path / "images" / kind / f"{number}.png", (8, 8), [], number)
    words = ["reproduce", "mine/table2", f"--search-path={mine}", f"output_dir={tmp_path}"]
    trained_on = f"data.root={tmp_path / 'images'}"
    assert main([*words, trained_on, "tracker=none"]) == EXIT_WRONG_INPUT  # before it trains
    assert f"data.root={tmp_path / 'data'} is not a folder" in capsys.readouterr().err
    assert not (tmp_path / "studies").exists()
    voc07_folder(tmp_path / "data", size=(16, 14))  # where data=voc07 says, whatever was trained on
    assert main([*words, trained_on, "tracker=none", "--json"]) == EXIT_DONE
    found = json.loads(capsys.readouterr().out)
    records = [
        json.loads(path.read_text())
        for path in sorted(tmp_path.glob("studies/*/trials/*/evaluations/voc07_svm.json"))
    ]
    scores = [100 * record["scores"]["mAP"] for record in records]
    assert list(found["cells"][0]["values"].values()) == pytest.approx(scores)
    assert len(set(scores)) == 2
