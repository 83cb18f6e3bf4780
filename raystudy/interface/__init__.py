"""Studies from Python and in notebooks, and what the verbs that run a study call."""
