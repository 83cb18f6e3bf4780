"""What the README has its readers write: a method and a tracker of their own."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def write_examples(folder):
    """Write the README's blocks of Python and YAML into a folder to search; return it."""
    (folder / "tracker").mkdir(parents=True)
    for ending, language in (("py", "python"), ("yaml", "yaml")):
        *_, method, tracker = re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)
        (folder / f"align.{ending}").write_text(method)
        name = "my_tracker.py" if ending == "py" else "tracker/lines.yaml"
        (folder / name).write_text(tracker)
    return folder
