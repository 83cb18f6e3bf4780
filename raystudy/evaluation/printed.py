"""A number as a paper prints it, with how far rounding may have moved it."""

import re
from dataclasses import dataclass
from decimal import Decimal

from raystudy.errors import UserError

_PRINTED = re.compile(r"(?P<value>\d*\.?\d+)(±(?P<std>\d*\.?\d+))?")
NONE = "-"


@dataclass(frozen=True, kw_only=True)
class Printed:
    """Printed digits.

    Parameters
    ----------
    text : str
        Such as ``59.10`` or ``90.3±.1``.
    value : float
    rounding : float
        Half a unit of the last digit: the true value is at most so far away.
    std : float, optional
        The deviation over runs, if one is printed.
    """

    text: str
    value: float
    rounding: float
    std: float | None = None

    @classmethod
    def read(cls, text: str, *, where: str) -> "Printed":
        """Read one number.

        Parameters
        ----------
        text : str
        where : str
            Table and row, for the error.
        """
        if not (found := _PRINTED.fullmatch(text)):
            raise UserError(
                f"{where}: '{text}' is no printed number; write digits as the paper has them, such "
                f"as 59.10 or 90.3±.1, and {NONE} where it has none."
            )
        digits = Decimal(found["value"])
        exponent = digits.as_tuple().exponent
        assert isinstance(exponent, int)
        std = found["std"]
        return cls(
            text=text,
            value=float(digits),
            rounding=0.5 * 10.0**exponent,
            std=None if std is None else float(std),
        )


def read_row(text: object, *, where: str) -> tuple[Printed | None, ...]:
    """Return the numbers of a row; None for each ``-``.

    A row is a text, because a YAML number has lost the zeros at its end.
    """
    if not isinstance(text, str):
        raise UserError(
            f"{where}: printed is {text!r}; quote it, such as printed: '{text}', so that every "
            f"printed digit is kept."
        )
    return tuple(None if word == NONE else Printed.read(word, where=where) for word in text.split())
