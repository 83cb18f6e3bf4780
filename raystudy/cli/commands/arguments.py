"""What each verb of the command line takes."""

import argparse


def study_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    _settings(parser)
    _search_path(parser)


def sweep_arguments(parser: argparse.ArgumentParser) -> None:
    study_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="as 'raystudy plan'")


def json_study_arguments(parser: argparse.ArgumentParser) -> None:
    study_arguments(parser)
    _json(parser)


def folder_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    _where(parser)


def resume_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    _settings(parser, "study.num_trials=, study.budget., scaling., tracker. or output_dir=")


def extend_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="study.num_trials=+32",
        help="how many more, and what 'resume' takes",
    )


def sync_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument(
        "--background",
        action="store_true",
        help="go on trying in the background if it cannot be delivered now",
    )
    _settings(parser, "tracker.uri= or output_dir=")


def json_arguments(parser: argparse.ArgumentParser) -> None:
    _json(parser)
    _where(parser)


def list_arguments(parser: argparse.ArgumentParser) -> None:
    _json(parser)
    _search_path(parser)


def best_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    json_arguments(parser)


def status_arguments(parser: argparse.ArgumentParser) -> None:
    best_arguments(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="live, until the study ends")


def logs_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument("trial", type=int, metavar="TRIAL", help="its number")
    parser.add_argument("-f", "--follow", action="store_true", help="until the trial ends")
    _where(parser)


def compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="ids, such as swaro-1 rocl-1")
    parser.add_argument("--force", action="store_true", help="also what was measured unlike")
    parser.add_argument(
        "--budget", metavar="NAME=AMOUNT", help="at equal cost: passes, images, flops or seconds"
    )
    json_arguments(parser)


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs=2, metavar="STUDY/TRIAL", help="such as swaro-1/0")
    json_arguments(parser)


def evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="+", metavar="WHAT", help="such as swaro-1 or swaro-1/3")
    _json(parser)
    _settings(parser, "suite=NAME, and settings of the suite, the data and the device")
    _search_path(parser)


def look_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_", metavar="RUN", help="such as swaro-1 or swaro-1/3")
    parser.add_argument(
        "--picture",
        action="append",
        metavar="NAME",
        help="features, adversarial, visualisation, interpolation, large or views; may be "
        "repeated; without it all",
    )
    parser.add_argument("--output", metavar="FOLDER", help="instead of the trial's own")
    _settings(parser)
    _search_path(parser)


def confirm_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument(
        "--top",
        type=int,
        default=3,
        help="finalists besides the recipe (3); 0 tells the noise floor",
    )
    parser.add_argument("--seeds", type=int, default=5, help="seeds of each, at most (5)")
    _json(parser)
    _settings(parser, "study.id=, study.budget., scaling., tracker. or output_dir=")


def report_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument("--output", metavar="FILE", help="instead of the study's folder")
    parser.add_argument(
        "--importance", choices=("ped_anova", "fanova"), default="ped_anova", help="how measured"
    )
    json_arguments(parser)


def export_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument(
        "--format",
        choices=("csv", "json", "parquet", "latex", "safetensors"),
        default="csv",
        help="of the table, or of the encoder (csv)",
    )
    parser.add_argument("--output", metavar="FILE", help="instead of the terminal")
    _where(parser)


def replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "trial", metavar="RUN", help="such as swaro-1/3, or the id of its run in MLflow"
    )
    _settings(parser)


def rm_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument("--yes", action="store_true", help="really delete it")
    parser.add_argument("--keep-mlflow", action="store_true", help="leave its runs in MLflow")
    _where(parser)


def ui_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=5000, help="(5000)")
    parser.add_argument("--host", default="127.0.0.1", help="who may look at it (127.0.0.1)")
    _settings(parser, "tracker.uri= or output_dir=")


def doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "study", nargs="?", metavar="STUDY", help="also hold what it writes against the free disk"
    )
    _json(parser)
    _settings(parser)
    _search_path(parser)


def completion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", help="a name, such as swaro ('raystudy list')")


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "study", metavar="STUDY", help="an id, such as swaro-1 ('raystudy studies')"
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON value")


def _where(parser: argparse.ArgumentParser) -> None:
    _settings(parser, "output_dir=FOLDER, where the results lie")


def _settings(
    parser: argparse.ArgumentParser, words: str = "settings ('raystudy show STUDY' lists them)"
) -> None:
    parser.add_argument("overrides", nargs="*", default=[], metavar="path=value", help=words)


def _search_path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--search-path",
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder with study YAML of your own; may be repeated",
    )
