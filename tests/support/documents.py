"""What README.md and the pages of `raystudy docs` have their readers write and type."""

import itertools
import re
import shlex
from pathlib import Path

from raystudy.cli.docs import pages

README = Path(__file__).parents[2] / "README.md"
DOCUMENTS = {"README": README, **pages()}
BLOCK = re.compile(
    r"(?:`(?P<file>\S+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
APART = {"&&", "||", "|", ";", "&"}


def write_examples(folder):
    """Write the files `mine/...` of all documents into a folder to search; return it."""
    for path in DOCUMENTS.values():
        for block in BLOCK.finditer(path.read_text()):
            if block["file"] and block["file"].startswith("mine/"):
                file = folder / block["file"].removeprefix("mine/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block["text"])
    return folder


def blocks(path, language):
    """Return the text of each block in a language."""
    return [one["text"] for one in BLOCK.finditer(path.read_text()) if one["language"] == language]


def typed(script):
    """Return the words of each command of a script; not what shells do with them."""
    commands = []
    for line in script.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = [*lexer]
        kept = [w for before, w in zip(["", *words], words, strict=False) if ">" not in (before, w)]
        for is_apart, command in itertools.groupby(kept, APART.__contains__):
            commands += [] if is_apart else [[*command]]
    return commands


def in_prose(path):
    """Return the words of each command between backticks outside the blocks."""
    prose = BLOCK.sub("", path.read_text())
    return [shlex.split(" ".join(one.split())) for one in re.findall(r"`(raystudy [^`]+)`", prose)]
