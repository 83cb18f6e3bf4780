"""Verbs that evaluate what was trained and draw conclusions."""

from raystudy.cli import completers
from raystudy.cli.commands.arguments import JSON, RESULTS, SEARCH_PATH, STUDY_ID, settings
from raystudy.cli.commands.command import Command, argument

PICTURES = (
    "features",
    "umap",
    "adversarial",
    "visualisation",
    "interpolation",
    "large",
    "views",
)

CONCLUDE = (
    Command(
        name="evaluate",
        module="raystudy.cli.evaluate",
        function="evaluate",
        from_laptop=False,
        summary="Evaluate trained networks: protocols, attacks, signs of masking.",
        details="""\
RUN is a study (its best trial), STUDY/TRIAL, the id of a run in MLflow, or a
file with weights (then also give encoder=... and data=...; FILE:PREFIX if it
holds several encoders). Several networks are evaluated in parallel on Ray.
protocol=voc07_svm, voc12_segments, coco_maskrcnn or coco_keypoints in the
place of a suite measures by a downstream task.""",
        arguments=(
            argument(
                "runs",
                nargs="+",
                metavar="RUN",
                help="such as swaro-1 or swaro-1/3",
                completer=completers.runs_and_suites,
            ),
            JSON,
            settings(
                "suite=NAME or protocol=NAME, and settings of it, the data and the device",
                completer=completers.suites,
            ),
            SEARCH_PATH,
        ),
        examples="""\
raystudy evaluate swaro-1                             # its best trial, quickly
raystudy evaluate swaro-1/3 suite=swaro_table1        # by a table's protocol
raystudy evaluate swaro-1 rocl-1 suite=swaro_table4   # several, and transfer
raystudy evaluate theirs.pt encoder=resnet18 data=cifar10 suite=full
raystudy evaluate msr-1 protocol=voc07_svm data=voc07 data.root=/data""",
    ),
    Command(
        name="look",
        module="raystudy.cli.look",
        function="look",
        from_laptop=False,
        summary="Draw a network's features, adversarial examples and more.",
        details="""\
RUN is a study (its best trial), STUDY/TRIAL, the id of a run in MLflow, or a
file with weights (then also give encoder=... and data=...).""",
        arguments=(
            argument(
                "run",
                metavar="RUN",
                help="such as swaro-1 or swaro-1/3",
                completer=completers.runs,
            ),
            argument(
                "--picture",
                action="append",
                dest="pictures",
                metavar="NAME",
                help=f"one of {', '.join(PICTURES)}; may be repeated (all)",
                completer=completers.one_of(*PICTURES),
            ),
            argument("--output", metavar="FOLDER", help="instead of the trial's folder"),
            settings(),
            SEARCH_PATH,
        ),
        examples="""\
raystudy look swaro-1
raystudy look swaro-1/3 --picture adversarial --output pictures""",
    ),
    Command(
        name="register",
        module="raystudy.cli.register",
        function="register",
        from_laptop=False,
        summary="Register a trained encoder in MLflow's registry of models.",
        details="""\
RUN is a study (its best trial; of several objectives each trial of the front),
STUDY/TRIAL, or the id of a run in MLflow. Every encoder becomes a version of
the model NAME, with its signature and the command that made it.
mlflow.pytorch.load_model loads it, without raystudy.""",
        arguments=(
            argument(
                "run",
                metavar="RUN",
                help="such as swaro-1 or swaro-1/3",
                completer=completers.runs,
            ),
            argument("--name", required=True, help="of the model in the registry"),
            settings("tracker.uri= or output_dir=", completer=completers.store_settings),
        ),
        examples="""\
raystudy register swaro-1 --name robust-digits
raystudy register swaro-1/3 --name robust-digits""",
    ),
    Command(
        name="confirm",
        module="raystudy.cli.confirm",
        function="confirm",
        from_laptop=False,
        summary="Race a study's best trials and its recipe on fresh seeds.",
        details="""\
The test split is read once, after the race. 'raystudy resume' continues an
interrupted race. With --top 0 only the recipe runs, to measure the
seed-to-seed noise; no test image is read.""",
        arguments=(
            STUDY_ID,
            argument(
                "--top",
                type=int,
                default=3,
                help="finalists besides the recipe (3); 0: measure the seed-to-seed noise",
            ),
            argument("--seeds", type=int, default=5, help="maximum number of seeds of each (5)"),
            JSON,
            settings(
                "study.id=, study.budget., scaling., tracker. or output_dir=",
                completer=completers.resumable_settings,
            ),
        ),
        examples="""\
raystudy confirm swaro-1                              # 3 finalists and the recipe, 5 seeds
raystudy confirm swaro-1 --top 8 --seeds 4
raystudy confirm swaro-1 --top 0                      # measure the seed-to-seed noise""",
    ),
    Command(
        name="reproduce",
        module="raystudy.cli.reproduce",
        function="reproduce",
        from_laptop=False,
        summary="Run a paper's table as a study; a verdict on each cell and claim.",
        details="""\
Without TABLE it lists every table and figure, what each tier costs and what
was run. Tiers: smoke (digits, on a CPU, in minutes: is everything wired?),
reduced (a small encoder: do the signs show?), full (the paper's own scale).
'raystudy resume' continues what was interrupted.""",
        arguments=(
            argument(
                "table",
                nargs="?",
                metavar="TABLE",
                help="such as swaro/table8",
                completer=completers.tables,
            ),
            argument(
                "--from",
                nargs="+",
                dest="studies",
                default=[],
                metavar="STUDY",
                help="judge these studies, and run nothing",
                completer=completers.study_ids,
            ),
            argument("--page", metavar="FILE", help="write one page over all papers"),
            argument(
                "--save-reference",
                action="store_true",
                help="keep the raw runs as the reference of this table and tier",
            ),
            argument(
                "--seed",
                nargs="+",
                dest="seeds",
                default=[],
                metavar="SEED",
                help="run these instead of the tier's own; --from judges both studies together",
            ),
            argument(
                "--row",
                nargs="+",
                dest="rows",
                default=[],
                metavar="ROW",
                help="train these only; --from judges them with what was trained before",
            ),
            argument(
                "--tier",
                default="smoke",
                help="smoke, reduced or full (smoke)",
                completer=completers.one_of("smoke", "reduced", "full"),
            ),
            JSON,
            settings("of every training, and study.id=, study.budget., scaling., tracker."),
            SEARCH_PATH,
        ),
        examples="""\
raystudy reproduce                                    # all tables and figures
raystudy reproduce swaro/table8                       # in minutes, on digits
raystudy reproduce swaro/table6 --from swaro-1        # judge what exists
raystudy reproduce swaro/table3 --tier full --from swaro-table1-full-1   # the same networks
raystudy reproduce --page papers.html                 # what stands, what nobody has run
raystudy reproduce msr/table1 --tier reduced data.root=~/images
raystudy reproduce msr/table1 --seed 3 4 5 --tier reduced data.root=~/images
raystudy reproduce msr/table1 --from msr-table1-reduced-1 msr-table1-reduced-2""",
    ),
    Command(
        name="report",
        module="raystudy.cli.report",
        function="report",
        summary="Write a study's report: one page to read, print and send.",
        arguments=(
            STUDY_ID,
            argument("--output", metavar="FILE", help="instead of the study's folder"),
            argument(
                "--importance",
                choices=("ped_anova", "fanova"),
                default="ped_anova",
                help="estimator of the importance of settings (ped_anova)",
            ),
            JSON,
            RESULTS,
        ),
        examples="""\
raystudy report swaro-1
raystudy report swaro-1 --output swaro.html""",
    ),
    Command(
        name="replay",
        module="raystudy.cli.replay",
        function="replay",
        from_laptop=False,
        summary="Train a trial again; bit for bit on a CPU with the same versions.",
        arguments=(
            argument(
                "run",
                metavar="RUN",
                help="such as swaro-1/3, or the id of its run in MLflow",
                completer=completers.runs,
            ),
            settings(),
        ),
        examples="""\
raystudy replay swaro-1/3
raystudy replay 0123456789abcdef0123456789abcdef      # the id of its run in MLflow""",
    ),
)
