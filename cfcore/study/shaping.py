"""Shapes that the results share: first readings, cases x readers, estimates as columns."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from cfcore.study.estimate import Estimate


def flat(name: str, estimate: Estimate) -> dict[str, Any]:
    """An estimate as the columns name, name_low, name_high, name_note."""
    return {
        name: estimate.value,
        f"{name}_low": estimate.low,
        f"{name}_high": estimate.high,
        f"{name}_note": estimate.note,
    }


def split(decoded: pd.DataFrame, by: Sequence[str]) -> Callable[[tuple[str, ...]], pd.DataFrame]:
    """Look-up of the rows with given values of `by`; an empty table where there are none."""
    groups = dict(iter(decoded.groupby(list(by), sort=False)))
    return lambda key: groups.get(key, decoded.iloc[:0])


def readings_only(decoded: pd.DataFrame) -> pd.DataFrame:
    """First readings: neither repeats nor controls."""
    return decoded[decoded["purpose"] == "reading"] if "purpose" in decoded else decoded


def wide(decoded: pd.DataFrame, outcome: str, case: Sequence[str] = ("patient", "pair")) -> pd.DataFrame:
    """Cases (rows) x readers (columns) of an outcome, NA where not assessed. Raises ValueError for a double reading."""
    if decoded.empty:
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[] for _ in case], names=list(case)))
    keys = [*case, "reader"]
    refuse_double_readings(decoded, keys)
    return decoded.set_index(keys)[outcome].unstack("reader", sort=False)


def refuse_double_readings(decoded: pd.DataFrame, keys: Sequence[str]) -> None:
    """Raises ValueError where two rows share `keys`, among them reader and pair."""
    again = decoded.duplicated(list(keys))
    if again.any():
        twice = decoded[again].iloc[0]
        raise ValueError(
            f"Reader {twice['reader']} has two readings of pair {twice['pair']}: mark the second as a repeat."
        )
