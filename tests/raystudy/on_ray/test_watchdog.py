"""What counts as progress of a trial."""

import os

from raystudy.on_ray.watchdog import Stillness
from raystudy.storage.folders import StudyFolder


def test_a_checkpoint_inside_an_epoch_is_progress_and_its_end_is_none(tmp_path):
    folder, now = StudyFolder(tmp_path), [0.0]
    trial = folder.trial(3)
    trial.path.mkdir(parents=True)
    still = Stillness(folder, lambda: now[0])

    def after(seconds):
        now[0] += seconds
        return still.seconds([2, 3])

    assert after(60) == 60
    trial.inner_checkpoint.touch()
    assert after(60) == 0
    assert after(60) == 60
    os.utime(trial.inner_checkpoint, ns=(1, 1))
    assert after(60) == 0
    trial.inner_checkpoint.unlink()
    assert after(60) == 60
    still.moved()
    assert after(1) == 1
    assert still.longest_s == 120
