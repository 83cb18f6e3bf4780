"""How tables print a ball."""

import math


def ball_name(norm: str, epsilon: float) -> str:
    """Return ``linf 8/255``, ``linf 0.1`` or ``l2 0.5``."""
    levels = 255 * epsilon
    of_pixels = math.isclose(levels, round(levels), abs_tol=1e-6)
    if norm == "linf" and of_pixels and not math.isclose(epsilon, round(epsilon, 2)):
        return f"linf {round(levels)}/255"
    return f"{norm} {epsilon:.4g}"
