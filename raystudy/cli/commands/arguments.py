"""Arguments that several verbs have."""

from collections.abc import Sequence

from raystudy.cli import completers
from raystudy.cli.commands.command import Argument, argument
from raystudy.cli.completers import Completer
from raystudy.errors import UserError

STUDY_NAME = argument(
    "name",
    metavar="STUDY",
    help="a name, such as swaro ('raystudy list')",
    completer=completers.study_names,
)
STUDY_ID = argument(
    "study_id",
    metavar="STUDY",
    help="an id, such as swaro-1 ('raystudy studies')",
    completer=completers.study_ids,
)
JSON = argument("--json", action="store_true", dest="as_json", help="print one JSON value")
SEARCH_PATH = argument(
    "--search-path",
    action="append",
    default=[],
    metavar="FOLDER",
    help="a folder with your own study YAML; may be repeated",
)


def settings(
    help_text: str = "settings ('raystudy show STUDY' lists them)",
    *,
    metavar: str = "path=value",
    completer: Completer = completers.settings,
) -> Argument:
    """Return the argument that takes overrides."""
    return argument(
        "overrides", nargs="*", default=[], metavar=metavar, help=help_text, completer=completer
    )


RESULTS = settings("output_dir=FOLDER, where the results are", completer=completers.output_dir)


def optional_study(
    verb: str, study: str | None, overrides: Sequence[str]
) -> tuple[str | None, list[str]]:
    """Return the study and the settings, where the first word after a verb may be either.

    Raises
    ------
    UserError
        If there are several studies.
    """
    words = [study, *overrides] if study else overrides
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise UserError(f"{verb} takes one study, got {' '.join(names)}.")
    return (names[0] if names else None), [word for word in words if "=" in word]
