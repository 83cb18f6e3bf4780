"""Evaluation of trained networks: `raystudy evaluate`."""
