"""PGD whose step is a multiple of the ball's radius."""

from trainables.attacks.balls import Ball, Start
from trainables.attacks.pgd import PGD


def relative_pgd(*, ball: Ball, relative_step: float, steps: int, start: Start = "ball") -> PGD:
    """Return PGD with steps of ``relative_step * epsilon``, so that both can be searched apart.

    Parameters
    ----------
    ball : Ball
        Threat model, in pixel units.
    relative_step : float
        Length of one step in the ball's norm, in units of epsilon.
    steps : int
        Gradient evaluations per call.
    start : {"ball", "sphere", "radius_uniform", "zero"}
        Where the first perturbation is drawn from; zero is the image itself.
    """
    if relative_step <= 0:
        raise ValueError(f"attack.relative_step must be above 0, got {relative_step}.")
    return PGD(ball=ball, step_size=relative_step * ball.epsilon, steps=steps, start=start)
