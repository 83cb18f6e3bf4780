"""Every number of every YAML says where it is from.

A source is a comment on the number's own line or right above it, or on (or right above) the line
of a section that it stands in; or the file's header, where that spells the number and names an
origin. A header with the words "numbers are ours" stands for a file that scales a recipe to other
data, a key ``source`` for a file of published figures. Seeds are names, not sizes.
"""

import re
from importlib import resources
from pathlib import Path

import pytest
import yaml

ROOT = Path(str(resources.files("search_spaces")))
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.yaml"))
ORIGINS = re.compile(
    r"arXiv:|\bcode\b|\bpaper\b|Table|Sec\.|default|\bours?\b|torchattacks|solo-learn|as \w+_\w+|"
    r"RoCL|SwARo|MSR|SuNCEt|fast l2 adversarial training"
)
OURS = re.compile(r"numbers are ours", re.IGNORECASE)
RECKONED = re.compile(r"\$\{(?:pixels|times):([\d.]+)")
NAMES = {"seed", "split_seed"}
NOT_SPELT = re.compile(
    r"arXiv:\S+|\b(?:CIFAR|STL)-[\d-]+|"
    r"\b(?:Tables?|Figure|Sec\.|App\.|Eq\.) [\w.]+|(?:al\.|[A-Z][a-z]+) (?:19|20)\d\d"
)
WORDS = {"1": "one", "2": "two", "3": "three"}


def bare_numbers(text):
    """Yield ``line: path = value`` of each number without a source."""
    root, lines = yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines()
    header = _header(lines)
    if OURS.search(header) or any(key.value == "source" for key, _ in root.value):
        return
    spelt = _spelt(header) if ORIGINS.search(header) else set()
    for path, node, is_said in _scalars(root, (), lines, False):
        number = _number(node)
        if number and path[-1] not in NAMES and not is_said and number not in spelt:
            yield f"{node.start_mark.line + 1}: {'.'.join(path)} = {node.value}"


def _scalars(node, path, lines, is_said):
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value != "defaults":
                said = is_said or _has_comment(lines, key.start_mark.line)
                yield from _scalars(value, (*path, key.value), lines, said)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            said = is_said or _has_comment(lines, value.start_mark.line)
            yield from _scalars(value, path, lines, said)
    else:
        yield path, node, is_said


def _has_comment(lines, number):
    above = lines[number - 1].strip() if number else ""
    # The header is for what it spells; a comment right above a line is that line's.
    is_above = above.startswith("#") and number > len(_header_lines(lines))
    return " #" in lines[number] or is_above


def _header_lines(lines):
    count = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return lines[:count]


def _header(lines):
    return " ".join(line.lstrip("# ") for line in _header_lines(lines))


def _spelt(header):
    """Return the numbers that a header spells; those of names, years and places are none."""
    text = NOT_SPELT.sub(" ", header.replace(",", ""))
    digits = set(re.findall(r"\d[\d.]*(?:/\d+)?(?<!\.)", text))
    return digits | {number for number, word in WORDS.items() if word in text.lower()}


def _number(node):
    """Return how the number would be spelt; empty for what is none."""
    if found := RECKONED.search(node.value):
        return f"{found[1]}/255" if "pixels" in node.value else found[1]
    is_number = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
    return node.value.removesuffix(".0") if is_number else ""


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_number_says_where_it_is_from(file):
    assert list(bare_numbers((ROOT / file).read_text())) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# x (their code)\na: 3\n", ["2: a = 3"]),
        ("# x (their code)\na: 3   # code\n", []),
        ("# x (their code)\n\n# code\na: 3\n", []),
        ("# x (their code)\nb:   # code\n  a: 3\n  c: 4.5\n", []),
        ("# x (their code)\nb:\n  a: 3   # code\n  c: 4.5\n", ["4: b.c = 4.5"]),
        ("# 3 steps of 8/255 (their code)\na: 3\nb: ${pixels:8}\nc: 8\n", ["4: c = 8"]),
        ("# 3 steps\na: 3\n", ["2: a = 3"]),
        ("# x of CIFAR-10, Table 3 (Wong et al. 2020)\na: 10\nb: 3\n", ["2: a = 10", "3: b = 3"]),
        ("# x (their code)\na: [1, 2]\n", ["2: a = 1", "2: a = 2"]),
        ("# x (their code)\na: {b: '${times:0.1,${c.d}}'}\n", ["2: a.b = ${times:0.1,${c.d}}"]),
        ("# x (their code)\nseed: 0\nb: ${a.b2}\nc: true\nd: null\n", []),
        ("# x, scaled to digits; numbers are ours\na: 3\n", []),
        ("# x\nsource: Table 1\nrows: [1, 2]\n", []),
    ],
)
def test_a_number_without_a_source_is_found(text, expected):
    assert list(bare_numbers(text)) == expected
