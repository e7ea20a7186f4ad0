"""One number with its interval, or the reason why there is none."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A statistic: `value` with interval `low` to `high` and standard error `se`; None where undefined.

    n: the number of units (cases, patients or readings) behind the value. note: why a number is missing, or
    what the interval rests on where that is not the rule; "" otherwise. Never nan.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    n: int = 0
    note: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return f"not defined ({self.note})"
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def undefined(note: str, n: int = 0) -> Estimate:
    """The answer of a statistic that the data do not define."""
    return Estimate(None, n=n, note=note)
