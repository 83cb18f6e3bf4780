"""``raystudy docs``: the pages beside this package, and the reference of settings."""

from importlib import resources
from pathlib import Path

from raystudy import terminal
from raystudy.errors import EXIT_DONE, UserError

FOLDER = Path(str(resources.files("raystudy"))) / "docs"
FIRST, SETTINGS = "tutorial", "settings"


def pages() -> dict[str, Path]:
    """Return the file of every page by name, the one to start with first."""
    files = sorted(FOLDER.glob("*.md"), key=lambda path: (path.stem != FIRST, path.stem))
    return {path.stem: path for path in files}


def docs(page: str | None) -> int:
    """Print a page, or the names of all."""
    known = pages()
    console = terminal.console()
    if page is None:
        for name, path in known.items():
            title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
            console.print(f"  {name:<10} {title}")
        console.print("\nread one with: raystudy docs PAGE")
        return EXIT_DONE
    if page not in known:
        raise UserError(f"no page '{page}'; {_nearest(page, known)}'raystudy docs' lists them.")
    console.print(known[page].read_text(encoding="utf-8").rstrip())
    if page == SETTINGS:
        from raystudy.cli import reference

        console.print()
        reference.show(console)
    return EXIT_DONE


def _nearest(page: str, known: dict[str, Path]) -> str:
    from raystudy.config.composition_errors import nearest  # with Hydra, which pages do without

    return nearest(page, list(known))
