"""``raystudy look``: pictures of a trained network."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.text import Text

from raystudy import terminal
from raystudy.errors import EXIT_DONE, UserError
from raystudy.evaluation.network import Trained, open_trained, use_threads
from raystudy.evaluation.pictures import (
    OF_A_CLASSIFIER,
    _is_of_picture,
    _png,
    _possible,
    make_pictures,
    make_subject,
)
from raystudy.storage.file_names import readable
from raystudy.study.open_tracker import tracker_of_study
from raystudy.study.tracker import Attachment

FOLDER = "pictures"  # in the trial's folder, and among the artifacts of its run


def look(
    run: str,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    pictures: Sequence[str] | None = None,
    output: str | None = None,
) -> int:
    """Draw pictures of a trained network, write them as PNG and add them to its tracked run.

    Parameters
    ----------
    run : str
        See `open_trained`.
    overrides : sequence of str
        A picture's settings, such as ``large.steps=100``, and those that `open_trained` takes.
    search_path : sequence of str
    pictures : sequence of str, optional
        Their names; all that apply if none is given.
    output : str, optional
        Folder for the files, instead of ``pictures`` next to the weights.
    """
    own = [text for text in overrides if _is_of_picture(text)]
    others = [text for text in overrides if not _is_of_picture(text)]
    makers = make_pictures(pictures or [], own)
    trained = open_trained(run, others, search_path)
    use_threads(trained.config)
    makers = _possible(makers, trained, asked=bool(pictures))
    subject = make_subject(trained, with_classifier=any(n in makers for n in OF_A_CLASSIFIER))
    folder = Path(output) if output else trained.origin.weights.parent / FOLDER
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    console, files = terminal.console(), {}
    for name, picture in makers.items():
        path = folder / f"{name}.png"
        with console.status(Text(f"{name} ...")):
            png = _png(name, picture, subject, readable(trained.label))
        with _writing_to(folder):
            path.write_bytes(png)
        console.print(Text(str(path)), soft_wrap=True)
        files[path.name] = path
    _attach(trained, others, files)
    return EXIT_DONE


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"--output: cannot write to {folder} ({error.strerror}); choose another folder."
        ) from error


def _attach(trained: Trained, overrides: Sequence[str], files: Mapping[str, Path]) -> None:
    """Add the files to the trial's run."""
    if (study := trained.origin.study) is not None:
        tracker = tracker_of_study(study, overrides, terminal.warn)
        attachment = Attachment(files=files, folder=FOLDER)
        tracker.attach(study, trained.origin.number, attachment)
        tracker.close()
