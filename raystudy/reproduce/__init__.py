"""Papers' tables as studies, with verdicts: `raystudy reproduce`."""
