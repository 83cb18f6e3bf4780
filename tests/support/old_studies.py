"""Copies of the stored studies in tests/fixtures, under other names."""

import json
from pathlib import Path

STUDIES = Path(__file__).parents[1] / "fixtures" / "format_1" / "studies"


def copy_study(home, old, name):
    """Copy a study, weights included, into a results folder; it is not tracked there."""
    folder = home / "studies" / name
    for file in (path for path in (STUDIES / old).rglob("*") if path.is_file()):
        copy = folder / file.relative_to(STUDIES / old)
        copy.parent.mkdir(parents=True, exist_ok=True)
        is_text = file.suffix in (".json", ".jsonl", ".log")
        content = file.read_bytes()
        copy.write_bytes(content.replace(old.encode(), name.encode()) if is_text else content)
    manifest = json.loads((folder / "study.json").read_text())
    manifest["overrides"].append("tracker=none")
    (folder / "study.json").write_text(json.dumps(manifest))
