"""Verbs that run trials."""

from raystudy.cli import completers
from raystudy.cli.commands.arguments import (
    JSON,
    RESULTS,
    SEARCH_PATH,
    STUDY_ID,
    STUDY_NAME,
    settings,
)
from raystudy.cli.commands.command import Command, argument

SEARCH = (
    Command(
        name="sweep",
        module="raystudy.cli.sweep",
        function="sweep",
        from_laptop=False,
        summary="Search a study's space on Ray.",
        details="""\
A plain setting (path=value) applies to every trial and removes that axis from
the search; choice(a,b), range(low,high,step) and interval(low,high) replace
the axis.""",
        arguments=(
            STUDY_NAME,
            settings(),
            SEARCH_PATH,
            argument("--dry-run", action="store_true", help="same as 'raystudy plan'"),
        ),
        examples="""\
raystudy sweep swaro                                  # a whole study
raystudy sweep swaro study.num_trials=32 sampler=gp   # another sampler
raystudy sweep swaro clusters.probability=0.5         # pin a setting
raystudy sweep swaro 'optimizer.lr=interval(0.1,2)'   # another range
raystudy sweep swaro 'attack=choice(swaro_digits,rocl_digits)'   # search a whole group
raystudy sweep swaro 'study.objectives=[val/accuracy,val/robust_accuracy]'
raystudy sweep swaro data=cifar10 data.root=~/data scaling.use_gpu=true
raystudy sweep swaro study.num_trials=64 study.budget.wall_hours=1""",
    ),
    Command(
        name="plan",
        module="raystudy.cli.plan",
        function="plan",
        summary="Estimate a sweep's trials, hours, passes and disk; starts nothing.",
        details="The estimate is based on a few training steps of the first trials, run now.",
        arguments=(STUDY_NAME, settings(), SEARCH_PATH, JSON),
        examples="""\
raystudy plan swaro                                   # trials, hours, passes, disk
raystudy plan swaro data=cifar10 study.num_trials=64 study.budget.passes=1e9
raystudy plan swaro --json""",
    ),
    Command(
        name="train",
        module="raystudy.cli.train",
        function="train",
        from_laptop=False,
        summary="Run one trial in this process, without Ray.",
        arguments=(STUDY_NAME, settings(), SEARCH_PATH),
        examples="""\
raystudy train swaro                                  # the published recipe
raystudy train swaro max_epochs=3 optimizer.lr=0.5
raystudy train align --search-path mine               # your own method""",
    ),
    Command(
        name="resume",
        module="raystudy.cli.sweep",
        function="resume",
        from_laptop=False,
        summary="Continue a study after Ctrl-C, a crash or a reboot.",
        details="Finished trials are not rerun; the others continue from their last checkpoint.",
        arguments=(
            STUDY_ID,
            settings(
                "study.num_trials=, study.budget., scaling., tracker. or output_dir=",
                completer=completers.resumable_settings,
            ),
        ),
        examples="""\
raystudy resume swaro-1
raystudy resume swaro-1 scaling.max_concurrent=2""",
    ),
    Command(
        name="extend",
        module="raystudy.cli.sweep",
        function="extend",
        from_laptop=False,
        summary="Continue a study, finished or not, with more trials.",
        details="study.num_trials=+32 adds 32 trials, study.num_trials=64 sets the total.",
        arguments=(
            STUDY_ID,
            settings(
                "the number of trials to add, and any setting that 'resume' takes",
                metavar="study.num_trials=+32",
                completer=completers.resumable_settings,
            ),
        ),
        examples="""\
raystudy extend swaro-1 study.num_trials=+32          # 32 more
raystudy extend swaro-1 study.num_trials=64           # 64 in total""",
    ),
    Command(
        name="pause",
        module="raystudy.cli.stop",
        function="pause",
        summary="Launch no more trials; running ones finish. 'resume' continues.",
        arguments=(STUDY_ID, RESULTS),
        examples="raystudy pause swaro-1",
    ),
    Command(
        name="stop",
        module="raystudy.cli.stop",
        function="stop",
        summary="Stop a running study, its state saved. 'resume' continues.",
        arguments=(STUDY_ID, RESULTS),
        examples="raystudy stop swaro-1",
    ),
)
