"""Raw answers beside the chair's: one settled answer per case and finding, and which readers it went against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.estimate import undefined
from cfcore.study.findings import findings_table
from cfcore.study.protocol import Arm, Finding
from cfcore.study.resampling import RESAMPLES
from cfcore.study.shaping import flat, readings_only

ADJUDICATED = "adjudicated"
COMPARED = ("share", "prevalence_original", "prevalence_counterfactual", "difference")
# Where a finding was seen -> (in the original, in the counterfactual).
_SEEN = {
    "original": (True, False),
    "counterfactual": (False, True),
    "both": (True, True),
    "neither": (False, False),
}
PLACES = (*_SEEN, "cannot")
_KNOWN = ("arm", "patient", "pair", "purpose", "finding", "pair_kind", "source_class", "flipped")
_COUNTS = ("pairs", "unanimous", "disputed", "decided", "undecided")


def place_of(in_original: bool, in_counterfactual: bool) -> str:
    """ "original", "counterfactual", "both" or "neither"."""
    return next(place for place, seen in _SEEN.items() if seen == (bool(in_original), bool(in_counterfactual)))


@dataclass(frozen=True)
class _Case:
    """A pair and finding: what is known of it, reader -> place of those who assessed it, who could not."""

    known: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    cannot: list[str] = field(default_factory=list)


def _cases(decoded: pd.DataFrame) -> dict[tuple[str, str], _Case]:
    """(pair, finding) -> its first readings, of counterfactual pairs."""
    first = readings_only(decoded)
    first = first[first["pair_kind"] == "counterfactual"] if "pair_kind" in first else first
    found: dict[tuple[str, str], _Case] = {}
    for row in first.to_dict("records"):
        known = {name: row[name] for name in _KNOWN if name in row}
        case = found.setdefault((row["pair"], row["finding"]), _Case(known))
        if row["status"] == "assessed":
            case.places[row["reader"]] = place_of(row["in_original"], row["in_counterfactual"])
        elif row["status"] == "cannot":
            case.cannot.append(row["reader"])
    return found


def _decided(decisions: pd.DataFrame) -> dict[tuple[str, str], str]:
    keys = zip(decisions["pair"], decisions["finding"], strict=True)
    return dict(zip(keys, decisions["decided"], strict=True))


def settled(decoded: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """One row per pair and finding: what the readers agreed on, or what the chair decided where they differed.

    decoded: from `decode_readings`; first readings of counterfactual pairs count. decisions: columns pair, finding,
    decided ("original", "counterfactual", "both", "neither", "cannot"). Columns: as `decode_readings`, with `reader`
    "adjudicated", and `settled`: "unanimous", "decided", "undecided" (readers differ and nobody has decided: status
    "missing") or "not assessed".
    """
    chosen, rows = _decided(decisions), []
    for key, case in _cases(decoded).items():
        places = set(case.places.values())
        if len(places) > 1:
            place = chosen.get(key)
            how = "undecided" if place is None else "decided"
        else:
            place = next(iter(places), "cannot" if case.cannot else None)
            how = "unanimous" if places else "not assessed"
        rows.append(case.known | _answer(place) | {"reader": ADJUDICATED, "settled": how})
    kinds = dict.fromkeys(("in_original", "in_counterfactual", "appears", "disappears"), "boolean")
    return pd.DataFrame(rows, columns=[*decoded.columns, "settled"]).astype(kinds)


def _answer(place: str | None) -> dict[str, Any]:
    if place is None or place == "cannot":
        nothing = dict.fromkeys(("in_original", "in_counterfactual", "appears", "disappears"))
        return {**nothing, "status": "missing" if place is None else "cannot"}
    original, counterfactual = _SEEN[place]
    seen = {"in_original": original, "in_counterfactual": counterfactual}
    change = {"appears": counterfactual and not original, "disappears": original and not counterfactual}
    return {**seen, **change, "status": "assessed"}


def raw_and_adjudicated(
    raw: pd.DataFrame,
    cases: pd.DataFrame,
    findings: Sequence[Finding],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """One row per finding and arm: the readers' numbers beside those of the settled answers.

    raw: from `findings_table`. cases: from `settled`. Columns: finding, label, arm, arm_name, pairs, unanimous,
    disputed, decided, undecided (all in pairs), then `share` (appears), `prevalence_original`,
    `prevalence_counterfactual` and `difference`, each as raw_ and adjudicated_ with _low, _high and _note. Raw counts
    readings, adjudicated counts pairs: an undecided pair is in no adjudicated number.
    """
    empty = cases.empty
    table = pd.DataFrame() if empty else findings_table(cases, findings, arms, rng, resamples=resamples)
    after = {(row["finding"], row["arm"]): row for row in table.to_dict("records")}
    before = {(row["finding"], row["arm"]): row for row in raw.to_dict("records")}
    rows = []
    for finding in findings:
        for arm in arms:
            own = cases[(cases["finding"] == finding.key) & (cases["arm"] == arm.key)]
            how = own["settled"].value_counts()
            row: dict[str, Any] = {"finding": finding.key, "label": finding.label}
            row |= {"arm": arm.key, "arm_name": arm.name}
            counts = {name: int(how.get(name, 0)) for name in ("unanimous", "decided", "undecided")}
            row |= {"pairs": len(own), **counts, "disputed": counts["decided"] + counts["undecided"]}
            for name in COMPARED:
                for kind, source in (("raw", before), ("adjudicated", after)):
                    row |= _estimate(source.get((finding.key, arm.key)), name, f"{kind}_{name}")
            rows.append(row)
    estimates = [column for name in COMPARED for kind in ("raw", "adjudicated") for column in _names(f"{kind}_{name}")]
    return pd.DataFrame(rows, columns=["finding", "label", "arm", "arm_name", *_COUNTS, *estimates])


def _names(name: str) -> list[str]:
    return list(flat(name, undefined("")))


def _estimate(row: Mapping[Any, Any] | None, name: str, new: str) -> dict[str, Any]:
    if row is None:
        return flat(new, undefined("no reading"))
    return {b: row[a] for a, b in zip(_names(name), _names(new), strict=True)}


def differing_readers(decoded: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """One row per reader: how often the chair decided otherwise.

    Columns: reader; `answers` the reader gave to decided questions ("cannot assess" aside) and `differed`, those that
    the chair did not follow; `cases` in which the reader gave such an answer and `cases_differed`; `alone`: answers in
    which this reader stood against all others, who were of one mind. A decision "cannot" follows nobody.
    """
    chosen = _decided(decisions)
    rows = {
        reader: {"reader": reader, "answers": 0, "differed": 0, "alone": 0, "cases": set(), "cases_differed": set()}
        for reader in dict.fromkeys(readings_only(decoded)["reader"])
    }
    for key, case in _cases(decoded).items():
        if key not in chosen:
            continue
        for reader, place in case.places.items():
            row = rows[reader]
            others = {other for name, other in case.places.items() if name != reader}
            row["answers"] += 1
            row["cases"].add(key[0])
            row["alone"] += len(case.places) > 2 and len(others) == 1 and place not in others
            if place != chosen[key]:
                row["differed"] += 1
                row["cases_differed"].add(key[0])
    counted = [
        {name: len(value) if isinstance(value, set) else value for name, value in row.items()} for row in rows.values()
    ]
    return pd.DataFrame(counted, columns=["reader", "answers", "differed", "cases", "cases_differed", "alone"])


def voices(decoded: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """`decisions` with a column said_<place> for each place: the readers who answered so ("R1, R3")."""
    cases = _cases(decoded)
    keys = list(zip(decisions["pair"], decisions["finding"], strict=True))

    def who(key: tuple[str, str], place: str) -> str:
        case = cases.get(key, _Case({}))
        own = case.cannot if place == "cannot" else [reader for reader, at in case.places.items() if at == place]
        return ", ".join(own)

    return decisions.assign(**{f"said_{place}": [who(key, place) for key in keys] for place in PLACES})
