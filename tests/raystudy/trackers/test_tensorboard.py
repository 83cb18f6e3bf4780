"""TensorBoard's event files, read back."""

import importlib.util
import io

import pytest
from mlflow_studies import ROBUST, again, summary, tell, trial
from PIL import Image

from raystudy.errors import UserError
from raystudy.study.tracker import Attachment
from raystudy.trackers.tensorboard import TensorBoardTracker


def fail(words):
    raise AssertionError(words)


@pytest.fixture
def tracker():
    return TensorBoardTracker(output_dir="unused", warn=fail)


def read(folder, run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder.path / "tensorboard" / run))
    events.Reload()
    return events


def scalars(events, name):
    return [(point.step, pytest.approx(point.value)) for point in events.Scalars(name)]


def hparams(events):
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    found = events.PluginTagToContent("hparams")
    start = plugin_data_pb2.HParamsPluginData.FromString(found[metadata.SESSION_START_INFO_TAG])
    return dict(start.session_start_info.hparams)


def test_a_trial_has_scalars_for_each_epoch_and_its_objectives_at_the_end(tracker, study, folder):
    tell(tracker, study)
    events = read(folder, "trial-0000")
    assert scalars(events, ROBUST) == [(1, 0.5), (2, 0.4)]
    assert scalars(events, f"last/{ROBUST}") == [(2, 0.4)]
    assert scalars(events, f"best/{ROBUST}") == [(2, 0.5)]


def test_settings_are_hyperparameters(tracker, study, folder):
    tracker.study_started(study)
    tracker.trial_started(trial(folder, params={"optimizer.lr": 0.25, "data": "digits"}))
    tracker.trial_finished(summary())
    found = hparams(read(folder, "trial-0000"))
    assert found["optimizer.lr"].number_value == 0.25
    assert found["data"].string_value == "digits"


def test_a_trial_that_continues_has_each_epoch_once(tracker, study, folder):
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_reported(0, 1, {ROBUST: 0.1})
    tracker.trial_reported(0, 2, {ROBUST: 0.2})
    other = TensorBoardTracker(output_dir="unused", warn=fail)
    other.study_started(again(study))
    other.trial_started(trial(folder, resumed=True))
    other.trial_reported(0, 2, {ROBUST: 0.3})
    other.trial_finished(summary())
    assert scalars(read(folder, "trial-0000"), ROBUST) == [(1, 0.1), (2, 0.3)]


def test_pictures_and_texts_are_added(tracker, folder):
    picture = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(picture, "PNG")
    files = {"views.png": picture.getvalue(), "quick.json": b'{"a": 1}', "x.svg": b"<svg/>"}
    measured = Attachment(metrics={"test/accuracy": 0.5}, files=files, folder="evaluations")
    tracker.attach(folder, 3, measured)
    events = read(folder, "trial-0003")
    assert scalars(events, "test/accuracy") == [(0, 0.5)]
    (image,) = events.Images("evaluations/views.png")
    assert (image.width, image.height) == (4, 3)
    (text,) = events.Tensors("evaluations/quick.json/text_summary")
    assert text.tensor_proto.string_val == [b'    {"a": 1}\n']


def test_where_it_is_not_installed_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'raystudy\[tensorboard\]'"):
        TensorBoardTracker(output_dir="unused")
