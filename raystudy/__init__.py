"""Hyperparameter studies of robust and self-supervised training on a Ray cluster."""

__version__ = "0.1.0"
