"""Studies from Python and in notebooks: the command line's words, and tables instead of text."""
