"""Verbs that show studies, running or ended, and change nothing."""

from raystudy.cli import completers
from raystudy.cli.commands.arguments import JSON, RESULTS, STUDY_ID
from raystudy.cli.commands.command import Command, argument

INSPECT = (
    Command(
        name="studies",
        module="raystudy.cli.studies",
        function="studies",
        summary="List the studies in the results folder.",
        arguments=(JSON, RESULTS),
        examples="""\
raystudy studies
raystudy studies --json output_dir=/shared/results""",
    ),
    Command(
        name="status",
        module="raystudy.cli.status",
        function="status",
        summary="Show a study's trials, also while it is running.",
        arguments=(
            STUDY_ID,
            JSON,
            RESULTS,
            argument("-f", "--follow", action="store_true", help="update until the study ends"),
        ),
        examples="""\
raystudy status swaro-1
raystudy status swaro-1 -f                            # until the study ends""",
    ),
    Command(
        name="best",
        module="raystudy.cli.status",
        function="best",
        summary="Show a study's best trial or Pareto front, and how to replay it.",
        arguments=(STUDY_ID, JSON, RESULTS),
        examples="""\
raystudy best swaro-1
raystudy best swaro-1 --json""",
    ),
    Command(
        name="logs",
        module="raystudy.cli.logs",
        function="logs",
        summary="Print a trial's epochs, its processes' output, and how it ended.",
        arguments=(
            STUDY_ID,
            argument(
                "number",
                type=int,
                metavar="TRIAL",
                help="the trial's number",
                completer=completers.trial_numbers,
            ),
            argument("-f", "--follow", action="store_true", help="update until the trial ends"),
            RESULTS,
        ),
        examples="""\
raystudy logs swaro-1 3
raystudy logs swaro-1 3 -f                            # all ranks, until the trial ends""",
    ),
    Command(
        name="compare",
        module="raystudy.cli.compare",
        function="compare",
        summary="Compare studies: recipe, best trial, cost; --budget at equal cost.",
        details="Studies whose measurement settings differ are refused, unless forced.",
        arguments=(
            argument(
                "study_ids",
                nargs="+",
                metavar="STUDY",
                help="ids, such as swaro-1 rocl-1",
                completer=completers.study_ids,
            ),
            argument(
                "--force",
                action="store_true",
                help="compare even if measurement settings differ",
            ),
            argument(
                "--budget",
                metavar="NAME=AMOUNT",
                help="at equal cost: passes, images, flops or seconds",
                completer=completers.budgets,
            ),
            JSON,
            RESULTS,
        ),
        examples="""\
raystudy compare swaro-1 rocl-1
raystudy compare swaro-1 rocl-1 --budget passes=5e6   # at equal cost""",
    ),
    Command(
        name="diff",
        module="raystudy.cli.compare",
        function="diff",
        summary="Show the settings and measures in which two trials differ.",
        arguments=(
            argument(
                "runs",
                nargs=2,
                metavar="STUDY/TRIAL",
                help="such as swaro-1/0",
                completer=completers.runs,
            ),
            JSON,
            RESULTS,
        ),
        examples="raystudy diff swaro-1/0 swaro-1/3",
    ),
    Command(
        name="export",
        module="raystudy.cli.export",
        function="export",
        summary="Export a study's trials as a table, or an encoder's weights.",
        details="""\
For a confirm the table is that of its race; --format latex prints it as in a
paper.

With --format safetensors, STUDY may also be STUDY/TRIAL or the id of a run in
MLflow; a ResNet gets torchvision's names.""",
        arguments=(
            argument(
                "study_id",
                metavar="STUDY",
                help="an id, such as swaro-1 ('raystudy studies')",
                completer=completers.runs,
            ),
            argument(
                "--format",
                choices=("csv", "json", "parquet", "latex", "safetensors"),
                default="csv",
                dest="file_format",
                help="of the table, or safetensors for the encoder (csv)",
            ),
            argument("--output", metavar="FILE", help="write to a file, not to the terminal"),
            RESULTS,
        ),
        examples="""\
raystudy export swaro-1 --output trials.csv
raystudy export swaro-1 --format latex
raystudy export swaro-1/3 --format safetensors        # the encoder, for other programs""",
    ),
)
