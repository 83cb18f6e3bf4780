"""Question and setup: what was searched, and all that was not."""

from raystudy.report import setup as question

TOLD = [{"val/robust_accuracy": 0.5}]


def test_no_setting_of_a_study_is_lost(study_of):
    """What was searched stands in the space, what was not in the setup."""
    study = study_of([TOLD])
    space, settings = study.composed
    searched = [row[0] for row in question.section(study).tables[0].rows]
    assert searched == list(space.distributions)
    rows = {row[0]: row for table in question.setup(study).tables for row in table.rows}
    assert rows["evaluate.probe.attack.ball.epsilon"][1] == 0.1
    assert rows["max_epochs"][1] == settings.max_epochs
    assert not set(searched) & set(rows)


def test_the_settings_of_a_group_that_is_searched_are_not_those_of_all_trials(study_of):
    study = study_of([TOLD], "lr_schedule=choice(short,cosine)")
    assert "lr_schedule" in study.composed[0].distributions
    setup = question.setup(study)
    told = [row[0] for table in setup.tables for row in table.rows]
    assert not [path for path in told if path.startswith("lr_schedule")]
    assert "lr_schedule" not in setup.facts
