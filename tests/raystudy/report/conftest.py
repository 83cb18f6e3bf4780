"""Studies told trial by trial, and read back as the report reads them."""

from html.parser import HTMLParser

import pytest

from raystudy.config import compose
from raystudy.config.spec import StudySpec
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder, create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study.info import StudyInfo
from raystudy.study.stored import StoredStudy
from raystudy.study.study import Outcome, Study

ON = dict.fromkeys(("val/accuracy", "val/robust_accuracy"), 360)
VOID = {"meta", "link", "img", "br", "wbr", "hr"}
OPTIONAL = {"td", "th", "tr", "dt", "dd", "thead", "tbody", "p"}  # whose end HTML implies
PLAIN = ("tracker=none", "trial_scheduler=none")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def study_of(home):
    """Return ``study_of(trials, *overrides)``, a stored study of SwARo on digits.

    Of each trial there is a list of measures per epoch, or a function of its parameters that
    returns one, and optionally the outcome: ``([{...}, {...}], Outcome("failed", "why"))``.
    """

    def make(trials, *overrides, study_id="mine", trackers=()):
        typed = [f"study.num_trials={len(trials)}", *PLAIN, *overrides]
        space, composed = SearchSpace.load("swaro", typed)
        settings = composed.config
        folder = create_study_folder(home, "swaro", study_id)
        section = compose.plain(settings.study)
        folder.write_manifest(
            Manifest(
                kind="sweep",
                name="swaro",
                overrides=tuple(typed),
                data="digits",
                study=section,
                measured_on=ON,
            )
        )
        info = StudyInfo.of(
            folder, space, StudySpec.read(settings.study), folder.read_manifest(), resumed=False
        )
        with Study.open(
            info,
            space,
            sampler={"_target_": "optuna.samplers.RandomSampler"},
            trial_scheduler=compose.plain(settings.trial_scheduler),
            trackers=trackers,
            max_epochs=settings.max_epochs,
        ) as study:
            for told in trials:
                tell(study, told)
        return StoredStudy(StudyFolder(folder.path))

    return make


def tell(study, told):
    """Run a trial; the outcome None leaves it running."""
    trial = study.next_trial()
    told = told(trial.params) if callable(told) else told
    epochs, outcome = told if isinstance(told, tuple) else (told, Outcome("completed"))
    for epoch, measures in enumerate(epochs, start=1):
        if not study.report(trial.number, epoch, measures):
            outcome = Outcome("stopped")
            break
    if outcome is not None:
        study.finish(trial.number, outcome)


class Page(HTMLParser):
    """What a browser would find: elements, attributes, words, and the rows of tables."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.rows, self.words = set(), [], [], []
        self.open, self.cells = [], False
        self.feed(html)
        assert self.open == [], "elements that are never closed"

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.cells = True
        if tag not in VOID | OPTIONAL:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag == "table":
            self.cells = False
        if tag not in OPTIONAL:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.cells:
            self.rows[-1][-1] += data.strip("\n")


@pytest.fixture
def page_in():
    """Return ``page_in(html)``."""
    return Page
