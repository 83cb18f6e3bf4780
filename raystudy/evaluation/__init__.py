"""Measuring what has been trained: `raystudy evaluate`."""
