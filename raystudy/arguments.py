"""What each verb of the command line takes."""

import argparse


def study_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's name, such as swaro ('raystudy list')")
    override_arguments(parser)


def sweep_arguments(parser: argparse.ArgumentParser) -> None:
    study_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="as 'raystudy plan'")


def plan_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's name, such as swaro ('raystudy list')")
    json_arguments(parser)


def folder_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    override_arguments(parser)


def override_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", metavar="path=value", help="settings")
    parser.add_argument(
        "--search-path",
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder with your own study YAML; may be repeated",
    )


def extend_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument(
        "overrides", nargs="*", metavar="study.num_trials=+32", help="how many more"
    )


def json_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    override_arguments(parser)


def best_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    json_arguments(parser)


def status_arguments(parser: argparse.ArgumentParser) -> None:
    best_arguments(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="until it ends")


def logs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument("trial", type=int, help="a trial's number")
    parser.add_argument("-f", "--follow", action="store_true", help="until it ends")
    override_arguments(parser)


def compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="ids, such as swaro-1 rocl-1")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--force", action="store_true", help="also what was measured unlike")
    parser.add_argument(
        "--budget", metavar="NAME=AMOUNT", help="at equal cost: passes, images, flops or seconds"
    )


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs=2, metavar="STUDY/TRIAL", help="such as swaro-1/0")
    json_arguments(parser)


def evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="+", metavar="WHAT", help="such as swaro-1 or swaro-1/3")
    json_arguments(parser)


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
    override_arguments(parser)


def confirm_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument("--top", type=int, default=3, help="finalists besides the recipe (3)")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of each, at most (5)")
    json_arguments(parser)


def report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument("--output", metavar="FILE", help="instead of the study's folder")
    parser.add_argument(
        "--importance", choices=("ped_anova", "fanova"), default="ped_anova", help="how measured"
    )
    override_arguments(parser)


def export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument(
        "--format", choices=("csv", "json", "parquet", "latex", "safetensors"), default="csv"
    )
    parser.add_argument("--output", metavar="FILE", help="instead of the terminal")
    override_arguments(parser)


def replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trial", help="such as swaro-1/3, or the id of its run in MLflow")
    override_arguments(parser)


def rm_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study's id, such as swaro-1")
    parser.add_argument("--yes", action="store_true", help="really delete it")
    override_arguments(parser)


def ui_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--host", default="127.0.0.1")
    override_arguments(parser)


def doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", help="also hold its need of disk against what is free")
    json_arguments(parser)


def completion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
