"""``raystudy doctor``: what is well, what is not, and what to do."""

from raystudy.doctor.verb import doctor

__all__ = ["doctor"]
