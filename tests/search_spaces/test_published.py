"""Every table of published figures there is; a new one is enrolled by existing."""

import pytest
from omegaconf import OmegaConf

from raystudy.config import catalogue, compose
from raystudy.evaluation import published
from raystudy.trial.build import build_suite

TABLES = catalogue.options("published")


def rows(name):
    table = published.read_table(name, ())
    return [{"data": table.get("data"), "where": {}, **row} for row in table["rows"]]


def figures(name, row):
    """What is found for a trial that is as the row says."""
    trained = OmegaConf.create({"data": {"name": row.get("trained_on", row["data"])}})
    for path, value in row["where"].items():
        OmegaConf.update(trained, path, value)
    found = published.find_table(name, row["study"], trained, row["data"])
    assert found is not None, row
    return found


@pytest.mark.parametrize("name", TABLES)
def test_its_rows_are_of_what_the_suite_of_its_name_measures(name):
    data = rows(name)[0]["data"]
    suite = build_suite(compose.load("swaro", [f"data={data}", f"+suite={name}"]))
    columns = {(name, r) for name, attack in suite.attacks.items() for r in attack.radii}
    for row in rows(name):
        assert row["study"] in catalogue.study_names()
        assert row["data"] in catalogue.options("data")
        table = figures(name, row)
        assert table.source
        assert table.setup
        for protocol, *column in table.accuracies:
            assert protocol in suite.protocols
            assert tuple(column) in {published.CLEAN, *columns}


@pytest.mark.parametrize("name", TABLES)
def test_its_rows_hold_for_settings_that_there_are(name):
    for study in {row["study"] for row in rows(name) if row["where"]}:
        trained = compose.load(study, ["data=cifar10"])
        for row in rows(name):
            for path in row["where"] if row["study"] == study else ():
                assert OmegaConf.select(trained, path) is not None, path


@pytest.mark.parametrize("name", TABLES)
def test_accuracy_is_a_share_and_in_linf_never_above_the_clean_one(name):
    for row in rows(name):
        table = figures(name, row)
        assert all(0 <= accuracy <= 1 for accuracy in table.accuracies.values())
        clean = table.accuracy_of(row["protocol"], *published.CLEAN)
        for (protocol, attack, _), accuracy in table.accuracies.items():
            if clean is not None and protocol == row["protocol"] and attack.endswith("linf"):
                assert accuracy <= clean


def test_swaros_recipe_has_the_figures_of_its_first_table():
    trained = compose.load("swaro", ["data=cifar10"])
    found = published.find_table("swaro_table1", "swaro", trained, "cifar10")
    assert found.accuracy_of("le_swaro", *published.CLEAN) == pytest.approx(0.8738)
    assert found.accuracy_of("le_swaro", "pgd20_linf", 8 / 255) == pytest.approx(0.3733)
    assert found.accuracy_of("rle_swaro", "slide20_l1", 12.0) == pytest.approx(0.8379)
    assert found.accuracy_of("le_swaro", "pgd20_linf", 0.1) is None


def test_a_row_that_holds_for_a_setting_is_found_under_it_alone():
    for probability, robust in ((0.25, 0.3793), (0.9, 0.3595), (0.6, None)):
        trained = compose.load("swaro", ["data=cifar10", f"clusters.probability={probability}"])
        found = published.find_table("swaro_table6", "swaro", trained, "cifar10")
        accuracy = found and found.accuracy_of("le_swaro", "pgd20_linf", 8 / 255)
        assert accuracy == (robust and pytest.approx(robust))


def test_nothing_was_published_for_other_data_and_suites():
    trained = compose.load("swaro", ["data=digits"])
    assert published.find_table("swaro_table1", "swaro", trained, "digits") is None
    assert published.find_table("swaro_table1", "swaro", trained, "cifar10") is None
    assert (
        published.find_table("quick", "swaro", compose.load("swaro", ["data=cifar10"]), "cifar10")
        is None
    )
