"""Where everything for the user is printed."""

import contextlib
import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

COMMAND = re.compile(r"\b(raystudy|ray|pip|uv) ")
WIDE = 1000  # a pipe or a file breaks no lines
SAY_AFTER_S, SAY_EVERY_S = 10.0, 30.0


def print_json(value: Any) -> None:
    """Print plain values for other programs; what is not finite, which JSON lacks, as null."""
    sys.stdout.write(json.dumps(finite(value), indent=2, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """Return plain values with None for every number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(own) for key, own in value.items()}
    return [finite(own) for own in value] if isinstance(value, (list, tuple)) else value


class Terminal(Console):
    """Prints words as they are: brackets and colons are no markup, and no command is broken.

    A command or a path broken in two could not be pasted; sentences are broken between words. A
    table too wide for that becomes a paragraph for each row. Falls silent when its reader (head,
    less) goes away; a study continues anyway.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **settings)

    def print(self, *objects: Any, **settings: Any) -> None:
        """Print sentences and tables as they fit, other words unbroken."""
        objects = tuple(self._whole(one) if isinstance(one, Table) else one for one in objects)
        if all(isinstance(one, (str, Text)) for one in objects):
            whole = "end" in settings or not self._is_prose(objects)
            settings["soft_wrap"] = settings.get("soft_wrap", True) and whole
        elif not self.is_terminal:
            with self.capture() as padded:
                super().print(*objects, **settings)
            # A pipe gets no blanks at the ends of lines.
            lines = (line.rstrip() for line in padded.get().splitlines())
            objects, settings = ("\n".join(lines),), {"soft_wrap": True}
        super().print(*objects, **settings)

    def _is_prose(self, words: Iterable[object]) -> bool:
        """Return whether nothing in it would be pasted whole: no command, no long path."""
        text = " ".join(map(str, words))
        longest = max(map(len, text.split()), default=0)
        return self.is_terminal and not COMMAND.search(text) and longest < self.width

    def _whole(self, table: Table) -> RenderableType:
        """Return a table, or paragraphs if it would break a word."""
        with self.capture() as printed:
            super().print(table)
        text = Text.from_ansi(printed.get()).plain
        cells = (cell for column in table.columns for cell in (column.header, *column.cells))
        is_whole = all(word in text for cell in cells for word in str(cell).split())
        return table if is_whole or not table.show_header else paragraphs(table)

    def on_broken_pipe(self) -> None:
        """Say nothing any more, to nobody."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def paragraphs(table: Table) -> RenderableType:
    """Return a table row by row: a line with its first cell, below it the others with titles."""
    titles = [" ".join(str(column.header).split()) for column in table.columns]
    width = max(map(len, titles[1:]), default=0)
    found: list[RenderableType] = [Text(titles[0], style="bold")] if titles[0] else []
    for head, *others in zip(*(column.cells for column in table.columns), strict=True):
        found.append(Text(" ".join(str(head).split())))
        own = Table.grid(padding=(0, 2, 0, 0))
        own.add_column(no_wrap=True, min_width=width)
        own.add_column(overflow="fold")
        for title, cell in zip(titles[1:], others, strict=True):
            if str(cell):
                own.add_row(title, " ".join(cell.split()) if isinstance(cell, str) else cell)
        found.append(Padding(own, (0, 0, 0, 2)))
    return Group(*found)


def console(*, stderr: bool = False) -> Console:
    """Return the user's terminal, or its replacement."""
    file = sys.stderr if stderr else sys.stdout
    return Terminal(stderr=stderr, width=None if file.isatty() else WIDE)


def warn(words: str) -> None:
    """Show a sentence that the user should read, apart from what the command prints."""
    console(stderr=True).print(Text(words, style="yellow"), soft_wrap=True)


def duration(seconds: float) -> str:
    """Return seconds in a unit that fits."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Return a number of bytes in a unit that fits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}" if count < 100 else f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


@contextlib.contextmanager
def announced(what: str) -> Iterator[None]:
    """Say on the error stream what is waited for, once it takes long, and again and again."""
    over = threading.Event()
    thread = threading.Thread(target=_announce, args=(what, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _announce(what: str, over: threading.Event) -> None:
    started, pause_s = time.monotonic(), SAY_AFTER_S
    while not over.wait(pause_s):
        pause_s = SAY_EVERY_S
        so_far = f"{time.monotonic() - started:.0f} s so far ({load()})"
        console(stderr=True).print(f"waiting for {what}, {so_far}")


def load() -> str:
    """Return in words how busy this machine is."""
    return f"the load is {os.getloadavg()[0]:.0f} on {os.cpu_count()} CPUs"
