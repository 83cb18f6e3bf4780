"""What runs the trials that a study hands out."""

from typing import Protocol

from raystudy.study import Study


class Executor(Protocol):
    """Ray Tune, or this process."""

    def run(self, study: Study) -> None:
        """Run trials until `study.next_trial` gives no more and all that ran have ended.

        Every trial handed out is reported epoch by epoch, ends soon after `study.report` returned
        False, and is finished with an `Outcome`. If `study.interrupted` becomes true, trials end
        after their epoch as ``stopped`` and stay running in the journal, to be taken up by
        `raystudy resume`.
        """
