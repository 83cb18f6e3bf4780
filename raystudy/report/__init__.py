"""A study as one self-contained page, its figures drawn as SVG."""

from raystudy.report.report import figures, report

__all__ = ["figures", "report"]
