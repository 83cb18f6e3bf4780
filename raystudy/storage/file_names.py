"""Names of files are bytes, most often UTF-8; Python reads others as surrogates.

Where they go back to the system, or to a terminal, they go as the bytes they were. Files of our own
keep them so, too (`ANY`); what is for other programs, which take UTF-8 alone, gets `readable`.
"""

import codecs
import hashlib
import os
import re
import sys
from io import TextIOWrapper
from pathlib import Path

from raystudy.errors import UserError

ANY = "surrogateescape"  # how our files are written and read
NOT_UTF8 = re.compile(r"[\ud800-\udfff]")
_TO_TERMINAL = "raystudy.naming"


def readable(text: str) -> str:
    r"""Return a text that can be written as UTF-8: other bytes as ``\xff``."""
    bytes_shown = re.sub("[\udc80-\udcff]", lambda one: f"\\x{ord(one[0]) - 0xDC00:02x}", text)
    return bytes_shown.encode("utf-8", "backslashreplace").decode()


def reachable(folder: Path, unfit: re.Pattern[str] = NOT_UTF8) -> Path:
    """Return a folder, or a link to it where another library could not write its name.

    In no folder of the user's, and made anew by whatever command comes next after it has gone.
    """
    if not unfit.search(str(folder)):
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    link = Path(f"/tmp/results-of-{os.getuid()}-{name}")
    try:
        link.symlink_to(folder)
    except FileExistsError:
        if link.lstat().st_uid != os.getuid() or link.readlink() != folder:
            raise UserError(
                f"output_dir: {link}, through which others reach a folder of such a name, is "
                f"somebody else's; remove it, or choose another output_dir."
            ) from None
    return link


def to_terminal() -> None:
    """Let this process print any name, whatever its output is."""
    codecs.register_error(_TO_TERMINAL, _as_bytes)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_TO_TERMINAL)


def _as_bytes(error: UnicodeError) -> tuple[bytes, int]:
    """Encode surrogates as the bytes they were, and what the terminal lacks by its number."""
    assert isinstance(error, UnicodeEncodeError)
    shown = (
        bytes([ord(one) - 0xDC00])
        if "\udc80" <= one <= "\udcff"
        else one.encode("ascii", "backslashreplace")
        for one in error.object[error.start : error.end]
    )
    return b"".join(shown), error.end
