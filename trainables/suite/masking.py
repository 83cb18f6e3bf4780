"""Signs that a robust accuracy is too high: the attack failed where the model need not be robust.

Pure functions of what has been measured. Each returns warnings in words, none if all is well. The
signs are those of Athalye et al. 2018 (arXiv:1802.00420, Sec. 3.1) and Carlini et al. 2019
(arXiv:1902.06705, Sec. 4); where to draw the line is our choice.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

MARGIN = 0.02  # accuracies of attacks on the same images differ by less by chance
FEWEST = 5  # images; of two equal attacks one wins so many more with a chance of 2^-5 at most
STEPS_GAIN = 0.05  # what the last steps should not win
# What restarts, and the margin instead of cross-entropy, should not win. Of unmasked networks
# trained on digits and CIFAR-10 they won up to 0.075 and 0.06.
LARGE_GAIN = 0.10
SLOPE_ERROR = 0.25  # of unmasked networks trained on digits and CIFAR-10 it was 0.02 at most
ROUNDING = 1e-9


def chance(images: int) -> float:
    """Return by how much the accuracies of two equal attacks on so many images may differ."""
    return max(MARGIN, FEWEST / images)


def single_step_beats_many(single: float, many: float, *, margin: float = MARGIN) -> list[str]:
    """Compare the accuracies that a one-step and a many-step attack of the same ball leave."""
    if many - single <= margin + ROUNDING:
        return []
    return [
        f"A one-step attack is stronger than a many-step one: accuracy {_percent(single)} after "
        f"one step, {_percent(many)} after many. Gradients away from the image seem misleading."
    ]


def black_box_beats_white_box(
    white_box: float, black_box: Mapping[str, float], *, margin: float = MARGIN
) -> list[str]:
    """Compare the white-box accuracy with those under images made without its gradients.

    Parameters
    ----------
    white_box : float
    black_box : mapping of str to float
        Accuracy by source, such as another model or Square; the same ball.
    margin : float
    """
    return [
        f"Images from {source} fool the model more often than the white-box attack's: accuracy "
        f"{_percent(accuracy)} against {_percent(white_box)}. The gradients seem to be masked."
        for source, accuracy in black_box.items()
        if white_box - accuracy > margin + ROUNDING
    ]


def cross_entropy_hides(by_loss: float, by_margin: float, *, gain: float = LARGE_GAIN) -> list[str]:
    """Compare the accuracy under cross-entropy attacks with that under a margin-loss attack."""
    if by_loss - by_margin <= gain + ROUNDING:
        return []
    return [
        f"A margin-loss attack is stronger than the cross-entropy ones: "
        f"accuracy {_percent(by_margin)} against {_percent(by_loss)}. The cross-entropy has lost "
        f"its gradient."
    ]


def unbounded_attack_fails(accuracy: float, *, margin: float = MARGIN) -> list[str]:
    """Check the accuracy under an attack that may reach every image."""
    if accuracy <= margin + ROUNDING:
        return []
    return [
        f"An attack that may change the image altogether leaves accuracy {_percent(accuracy)}, "
        f"not zero: the attack fails where it must succeed."
    ]


def loss_falls(losses: Mapping[int, float], *, tolerance: float = 0.01) -> list[str]:
    """Check that an attack reaches no lower loss with more steps.

    Parameters
    ----------
    losses : mapping of int to float
        Mean loss over the images by number of steps.
    tolerance : float
        Relative fall that is overlooked.
    """
    if broken := [steps for steps, loss in sorted(losses.items()) if not math.isfinite(loss)]:
        return [
            f"The loss is not finite after {broken[0]} steps: a gradient attack cannot follow it."
        ]
    for (few, low), (many, high) in pairwise(sorted(losses.items())):
        if high < low - tolerance * max(abs(low), 1e-6):
            return [
                f"The attack's loss falls with more steps, from {low:.4g} after {few} to "
                f"{high:.4g} after {many}: the step may be too long, or gradients misleading."
            ]
    return []


def steps_still_help(accuracies: Mapping[int, float], *, gain: float = STEPS_GAIN) -> list[str]:
    """Check that the attack has converged: accuracies at the two largest numbers of steps."""
    return _still_help(accuracies, "steps", gain)


def restarts_help(accuracies: Mapping[int, float], *, gain: float = LARGE_GAIN) -> list[str]:
    """Check what random restarts win: accuracies with the fewest and the most."""
    if len(accuracies) < 2:
        return []
    ends = {count: accuracies[count] for count in (min(accuracies), max(accuracies))}
    return _still_help(ends, "restarts", gain)


def accuracy_rises(accuracies: Mapping[float, float], *, margin: float = MARGIN) -> list[str]:
    """Check that accuracy does not rise with epsilon: a larger ball holds the smaller."""
    for (small, low), (large, high) in pairwise(sorted(accuracies.items())):
        if high > low + margin + ROUNDING:
            return [
                f"Accuracy rises with epsilon, from {_percent(low)} at {small:.4g} to "
                f"{_percent(high)} at {large:.4g}: the attack has not converged."
            ]
    return []


def gradients_vanish(share: float, *, margin: float = MARGIN) -> list[str]:
    """Check the share of images whose loss has no gradient at all."""
    if share <= margin + ROUNDING:
        return []
    return [
        f"{_percent(share)} of the images have a gradient of exactly zero, or none: gradient "
        f"attacks leave them unchanged."
    ]


def gradients_err(error: float, *, tolerance: float = SLOPE_ERROR) -> list[str]:
    """Compare the gradient with the finite difference of a small step.

    Parameters
    ----------
    error : float
        Differences over the sum of both, in [0, 1]: 0 where they agree.
    tolerance : float
    """
    if error <= tolerance:
        return []
    return [
        f"The gradient disagrees with finite differences: over a step of one grey level they "
        f"differ by {_percent(error)} of their sum. Gradient attacks are misled."
    ]


def answers_change(share: float) -> list[str]:
    """Check the share of images whose logits change when computed again."""
    if share == 0:
        return []
    return [
        f"The logits of {_percent(share)} of the images change when computed again: the "
        f"network draws at random, or depends on the rest of the batch. "
        f"Accuracy is then random too, and attacks would have to average over draws."
    ]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What has been measured of one model in one ball; what has not stays out.

    Parameters
    ----------
    one_step, many_steps : float, optional
        Accuracies under a one-step and the many-step white-box attack.
    black_box : mapping of str to float
        Accuracies under images made elsewhere, by source.
    unbounded : float, optional
        Accuracy under an attack that may reach every image.
    losses : mapping of int to float
        Mean loss by number of steps.
    by_steps, by_restarts : mapping of int to float
        Accuracies.
    by_epsilon : mapping of float to float
        Accuracies.
    by_margin : float, optional
        Accuracy under a many-step margin-loss attack.
    zero_gradients : float, optional
        Share of images without gradient.
    slope_error : float, optional
        Of the gradient, in [0, 1].
    changing : float, optional
        Share of images whose logits change when computed again.
    images : int, optional
        How many were attacked.
    """

    one_step: float | None = None
    many_steps: float | None = None
    black_box: Mapping[str, float] = field(default_factory=dict)
    unbounded: float | None = None
    losses: Mapping[int, float] = field(default_factory=dict)
    by_steps: Mapping[int, float] = field(default_factory=dict)
    by_restarts: Mapping[int, float] = field(default_factory=dict)
    by_epsilon: Mapping[float, float] = field(default_factory=dict)
    by_margin: float | None = None
    zero_gradients: float | None = None
    slope_error: float | None = None
    changing: float | None = None
    images: int | None = None

    @property
    def margin(self) -> float:
        """By how much two attacks may differ by chance."""
        return chance(self.images) if self.images else MARGIN


def signs_of_masking(evidence: Evidence) -> list[str]:
    """Return the warnings of all checks for which there is evidence."""
    warnings: list[str] = []
    if evidence.many_steps is not None:
        if evidence.one_step is not None:
            warnings += single_step_beats_many(
                evidence.one_step, evidence.many_steps, margin=evidence.margin
            )
        warnings += black_box_beats_white_box(
            evidence.many_steps, evidence.black_box, margin=evidence.margin
        )
    if evidence.unbounded is not None:
        warnings += unbounded_attack_fails(evidence.unbounded)
    warnings += loss_falls(evidence.losses)
    warnings += steps_still_help(evidence.by_steps)
    warnings += restarts_help(evidence.by_restarts)
    warnings += accuracy_rises(evidence.by_epsilon)
    if evidence.by_margin is not None:
        by_loss = min([*evidence.by_steps.values(), *evidence.by_restarts.values()])
        warnings += cross_entropy_hides(by_loss, evidence.by_margin)
    if evidence.zero_gradients is not None:
        warnings += gradients_vanish(evidence.zero_gradients)
    if evidence.slope_error is not None:
        warnings += gradients_err(evidence.slope_error)
    if evidence.changing is not None:
        warnings += answers_change(evidence.changing)
    return warnings


def _still_help(accuracies: Mapping[int, float], what: str, gain: float) -> list[str]:
    if len(accuracies) < 2:
        return []
    (few, high), (many, low) = sorted(accuracies.items())[-2:]
    if high - low <= gain + ROUNDING:
        return []
    return [
        f"More {what} still lower the accuracy: {_percent(high)} with {few}, {_percent(low)} with "
        f"{many}. The attack has not converged; the model is less robust than this."
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
