"""Files with one name a line, that choose classes or images."""

from pathlib import Path


def read_lines(path: str, setting: str, what: str) -> list[str]:
    """Return the lines of a file that are not empty, none twice.

    Parameters
    ----------
    path : str
    setting : str
        Which names the file.
    what : str
        It should hold, for the sentence that says what is wrong.

    Raises
    ------
    ValueError
        If it cannot be read, or has a line twice, or none.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"{setting}={path} cannot be read ({reason}); name a file with {what}."
        ) from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    seen = set[str]()
    for line in lines:
        if line in seen:
            raise ValueError(f"{setting}={path} lists {line!r} twice; keep one.")
        seen.add(line)
    if not lines:
        raise ValueError(f"{setting}={path} is empty; name a file with {what}.")
    return lines
