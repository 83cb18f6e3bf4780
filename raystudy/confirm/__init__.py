"""Racing a search's finalists against its published recipe: `raystudy confirm`."""
