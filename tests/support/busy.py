"""What a machine that does much else may do: take its time, and say that it does."""

PATIENCE_S = 900  # until a process counts as hung


def unhurried(said):
    """Return what was printed without the lines that say what is being waited for."""
    lines = said.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("waiting for "))
