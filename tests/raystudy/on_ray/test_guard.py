"""What a study raises ends the run and reaches whoever began it."""

from surrogate_study import Events, open_study

from raystudy.on_ray.guard import Guard
from raystudy.study.trial_record import Outcome


class Broken(Events):
    """A tracker that raises when it hears of an epoch."""

    def trial_reported(self, number, epoch, metrics):
        raise OSError(f"no room for epoch {epoch}")


def test_the_first_error_is_kept_and_interrupts(tmp_path):
    with open_study(tmp_path / "s", trackers=[Broken()], num_trials=2) as study:
        guard = Guard(study)
        assert guard.next_trial().number == 0
        assert guard.report(0, 1, {"val/robust_accuracy": 0.5})
        assert guard.report(0, 2, {"val/robust_accuracy": 0.5})
        assert str(guard.error) == "no room for epoch 1"
        assert study.interrupted
        guard.finish(0, Outcome("failed", "its process was ended"))
        assert guard.next_trial() is None
        assert study.summaries() == []
