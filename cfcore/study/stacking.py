"""Readings of one arm as arrays, findings x cases x readers: what the vectorised statistics work on."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfcore.study.shaping import refuse_double_readings

ASSESSED, CANNOT, MISSING = 1, 2, 3
_STATUS = {"assessed": ASSESSED, "cannot": CANNOT, "missing": MISSING}


@dataclass(frozen=True)
class Stack:
    """codes: outcome -> (findings, cases, readers) with 1 seen, 0 not seen, -1 not assessed. status: the same shape,
    1 assessed, 2 cannot assess, 3 missing, 0 never planned. patients: (cases,). readers: their names."""

    codes: dict[str, NDArray[np.int8]]
    status: NDArray[np.int8]
    patients: tuple[Hashable, ...]
    readers: tuple[Hashable, ...]

    def count(self, status: int) -> NDArray[np.int64]:
        """(findings,) answers of a status."""
        return np.asarray((self.status == status).sum(axis=(1, 2)))

    @property
    def pairs(self) -> NDArray[np.int64]:
        """(findings,) cases planned with anybody."""
        return np.asarray((self.status > 0).any(axis=2).sum(axis=1))

    @property
    def reading(self) -> NDArray[np.int64]:
        """(findings,) readers who gave an answer, "cannot assess" included."""
        return np.asarray(np.isin(self.status, (ASSESSED, CANNOT)).any(axis=1).sum(axis=1))

    def patients_of(self, finding: int) -> int:
        """Patients planned with anybody for a finding."""
        planned = (self.status[finding] > 0).any(axis=1)
        return len({patient for patient, known in zip(self.patients, planned, strict=True) if known})


def stack(decoded: pd.DataFrame, findings: Sequence[str], outcomes: Sequence[str]) -> Stack:
    """Stack decoded readings (those of one arm, as a rule). Findings that are not among `findings` are left out.

    Raises ValueError where a reader has two readings of a pair and finding.
    """
    known = decoded[decoded["finding"].isin(findings)]
    refuse_double_readings(known, ("patient", "pair", "finding", "reader"))
    finding = pd.Index(findings).get_indexer(pd.Index(known["finding"]))
    patient, patients = pd.factorize(known["patient"])
    pair, pairs = pd.factorize(known["pair"])
    case, cases = pd.factorize(patient * max(len(pairs), 1) + pair)
    reader, readers = pd.factorize(known["reader"])
    shape = (len(findings), len(cases), len(readers))
    status = np.zeros(shape, dtype=np.int8)
    status[finding, case, reader] = known["status"].map(_STATUS).to_numpy(dtype=np.int8)
    codes = {}
    for outcome in outcomes:
        values = known[outcome].to_numpy(dtype=float, na_value=np.nan)
        codes[outcome] = np.full(shape, -1, dtype=np.int8)
        codes[outcome][finding, case, reader] = np.where(np.isnan(values), -1, values).astype(np.int8)
    return Stack(codes, status, tuple(patients[cases // max(len(pairs), 1)]), tuple(readers))
