"""What each table of an export says, recounted row by row (`tests.services.recount`)."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from tests.services.recount import (
    NONE,
    SIDED,
    Export,
    Numbers,
    Row,
    Z,
    agreement,
    alpha,
    bias,
    cases_of,
    clopper,
    concordance,
    intraclass,
    kappa,
    mean,
    newcombe,
    ordinal,
    specific,
    tested,
    wilson,
)
from tests.services.recount_questions import KINDS, SINGLE, asked, single_images

SIDES = {"prevalence_original": "in_original", "prevalence_counterfactual": "in_counterfactual"}


def findings(export: Export, row: Row) -> Numbers:
    planned = export.of(row, "finding", "arm")
    known = planned[planned["assessed"]]
    given = planned[planned["answer"] != ""]
    cases = cases_of(known, "appears")
    carried = [sum(case.values()) * 2 > len(case) for case in cases]
    found: Numbers = {
        "pairs": planned["pair"].nunique(),
        "patients": planned["patient"].nunique(),
        "readers": given["reader"].nunique(),
        "readings": len(known),
        "cannot": int((planned["answer"] == "cannot").sum()),
        "missing": int((planned["answer"] == "").sum()),
        "share": mean(known["appears"]),
        "majority": sum(carried) * 2 > len(carried) if carried else NONE,
    }
    found |= {name: mean(known[column]) for name, column in SIDES.items()}
    found["difference"] = found["prevalence_counterfactual"] - found["prevalence_original"]
    found |= {f"{name}_general": found[name] for name in ("share", *SIDES, "difference")}
    several = [case for case in cases if len(case) > 1]
    return (
        found
        | agreement(cases, (False, True))
        | {"positive_agreement": specific(cases, True), "negative_agreement": specific(cases, False)}
        | {"prevalence_index": 2 * mean(mean(case.values()) for case in several) - 1, "bias_index": bias(cases)}
    )


def per_reader(export: Export, row: Row) -> Numbers:
    planned = export.of(row, "reader", "finding", "arm")
    known = planned[planned["assessed"]]
    n = len(known)
    both = int((known["answer"] == "both").sum())
    neither = int((known["answer"] == "neither").sum())
    before = int((known["answer"] == known["original_side"]).sum())
    later = n - both - neither - before
    return (
        {"readings": n, "cannot": int((planned["answer"] == "cannot").sum())}
        | {"missing": int((planned["answer"] == "").sum())}
        | wilson("share", later, n)
        | wilson("prevalence_original", both + before, n)
        | wilson("prevalence_counterfactual", both + later, n)
        | newcombe("difference", both, later, before, neither)
    )


def cases_done(table: pd.DataFrame) -> pd.DataFrame:
    """One row a case with at least one answer to a finding."""
    return table[table["answer"] != ""].drop_duplicates(["reader", "pair"])


def readers(export: Export, row: Row) -> Numbers:
    planned = export.of(row, "reader")
    given = planned[planned["answer"] != ""]
    done = cases_done(planned)
    sided = given[given["answer"].isin(SIDED)]
    on_a = int((sided["answer"] == "A").sum())
    return {
        "planned": planned["pair"].nunique(),
        "done": len(done),
        "answers": len(given),
        "cannot": int((given["answer"] == "cannot").sum()),
        "missing": len(planned) - len(given),
        "median_seconds": done["seconds"].median(),
        "first_side_p": stats.binomtest(on_a, len(sided)).pvalue if len(sided) else NONE,
    } | clopper("first_side", on_a, len(sided))


def missing(export: Export, row: Row) -> Numbers:
    planned = export.of(row, "reader", "arm")
    given = planned[planned["answer"] != ""]
    done, cases = len(cases_done(planned)), planned["pair"].nunique()
    cannot = int((given["answer"] == "cannot").sum())
    return {
        "planned": cases,
        "done": done,
        "unread": cases - done,
        "answers": len(given),
        "cannot": cannot,
        "missing": len(planned) - len(given),
        "cannot_share": cannot / len(given) if len(given) else NONE,
        "missing_share": (len(planned) - len(given)) / len(planned),
    }


def times(export: Export, row: Row) -> Numbers:
    done = cases_done(export.of(row, "reader", *(["arm"] if row["arm"] else [])))
    seconds = done["seconds"].dropna()
    quartiles = [seconds.quantile(q) if len(seconds) else NONE for q in (0.25, 0.5, 0.75)]
    middle = dict(zip(("lower_quartile", "median", "upper_quartile"), quartiles, strict=True))
    positive = seconds[seconds > 0]
    return {"cases": len(seconds), "geometric_mean": stats.gmean(positive) if len(positive) else NONE} | middle


def ratings(export: Export, row: Row) -> Numbers:
    table = export.long
    own = table[(table["kind"] == "rating") & (table["question"] == row["rating"]) & (table["arm"] == row["arm"])]
    planned = own[own["purpose"] == "reading"]
    known = planned[planned["value"].notna()].assign(value=lambda t: t["value"].astype(int))
    points = int(export.ratings[row["rating"]]["points"])
    cases = cases_of(known, "value")
    scale = range(1, points + 1)
    weighted = agreement(cases, scale, lambda a, b: 1 - (a - b) ** 2 / (points - 1) ** 2)
    everybody = sorted(set(planned["reader"]))
    whole = np.array([[case[r] for r in everybody] for case in cases if len(case) == len(everybody)], dtype=float)
    found: Numbers = {
        "pairs": planned["pair"].nunique(),
        "readers": known["reader"].nunique(),
        "readings": len(known),
        "missing": len(planned) - len(known),
        "median": known["value"].median(),
        "mean": known["value"].mean(),
        "ac2": weighted["ac1"],
        "alpha": alpha(cases, ordinal(cases, points)),
    }
    found |= {f"share_{k}": mean(known["value"] == k) if k in scale else NONE for k in range(1, 12)}
    if len(whole) > 1:
        found |= intraclass(whole) | {"kendall_w": concordance(whole)}
    else:
        found |= dict.fromkeys(("icc", "icc_mean", "icc_1_1", "icc_3_1", "icc_1_k", "icc_3_k", "kendall_w"), NONE)
    # For two readers only; this study has more.
    return found | dict.fromkeys(("weighted_kappa", "bias", "lower_limit", "upper_limit"), NONE)


def pairs_of_readers(export: Export, row: Row) -> Numbers:
    known = export.first[export.first["assessed"]]
    one, two = (
        known[known["reader"] == row[name]].set_index(["pair", "question"])["appears"] for name in ("first", "second")
    )
    both = pd.concat([one, two], axis=1, join="inner")
    pairs = list(both.itertuples(index=False, name=None))
    return {"n": len(pairs), "value": kappa(pairs)}


def confirmatory(export: Export, row: Row) -> Numbers:
    """The second of the two groups is the one that the hypothesis names first, or the counterfactuals."""
    arms = row["arms"].split(" against ")
    plan = export.protocol["analysis"]
    if row["finding"] in export.ratings:
        long = export.long
        known = long[(long["kind"] == "rating") & (long["question"] == row["finding"]) & (long["purpose"] == "reading")]
        rows = known[known["value"].notna()].assign(second=known["arm"] == arms[0])
        rows = rows[rows["arm"].isin(arms)]
        return tested(rows, row["test"]) | {"primary": is_primary(row, plan)}
    known = export.first[export.first["assessed"] & (export.first["question"] == row["finding"])]
    known = known[known["arm"].isin(arms)]
    if len(arms) == 1:
        rows = pd.concat(
            [known.assign(second=later, value=known[name].astype(float)) for later, name in enumerate(SIDES.values())]
        ).astype({"second": bool})
    else:
        change = known["in_counterfactual"].astype(float) - known["in_original"].astype(float)
        outcome = {"difference": change, "appears": (change > 0), "disappears": (change < 0)}[row["estimand"]]
        rows = known.assign(second=known["arm"] == arms[0], value=outcome.astype(float))
    return tested(rows, row["test"]) | {"primary": is_primary(row, plan)}


def is_primary(row: Row, plan: Row) -> bool:
    return (row["finding"], row["arms"]) == (plan["finding"], " against ".join(plan["contrast"]))


def comparisons(export: Export, row: Row) -> Numbers:
    known = export.first[export.first["assessed"] & (export.first["question"] == row["finding"])]
    known = known[known["arm"].isin([row["first"], row["second"]])]
    return tested(known.assign(second=known["arm"] == row["second"], value=known["appears"].astype(float)), row["test"])


def checks(export: Export, row: Row) -> Numbers:
    own = export.ticked[export.ticked["reader"] == row["reader"]]
    again = own[own["purpose"] == "repeat"]
    key = ["pair", "question"]
    once, twice = (t.set_index(key) for t in (own[own["purpose"] == "reading"], again))
    # What could be assessed only once still says how often the reader ticks (Gwet's way with gaps).
    cases = [
        {n: bool(t.loc[place, "appears"]) for n, t in (("1", once), ("2", twice)) if t.loc[place, "assessed"]}
        for place in twice.index
    ]
    both = [(case["1"], case["2"]) for case in cases if len(case) == 2]
    identical = own[(own["purpose"] == "control") & (own["pair_kind"] == "identical")]
    known = identical[identical["assessed"]]
    alarms = known["answer"].isin(SIDED)
    return (
        {"repeats": again["pair"].nunique(), "controls": identical["pair"].nunique()}
        | {"intra_reader": agreement(cases, (False, True))["ac1"]}
        | {"intra_reader_kappa": kappa(both)}
        | wilson("false_alarms", int(alarms.groupby(known["pair"]).any().sum()), known["pair"].nunique())
        | wilson("false_alarm_answers", int(alarms.sum()), len(known))
    )


def repeated_ratings(export: Export, row: Row) -> Numbers:
    """Of pairs that one reader rated twice: first - second as Bland and Altman, with t over pairs (1999)."""
    long = export.long
    own = long[(long["kind"] == "rating") & (long["question"] == row["rating"]) & (long["reader"] == row["reader"])]
    once, twice = (own[own["purpose"] == p].set_index("pair")["value"].dropna() for p in ("reading", "repeat"))
    both = pd.concat([once, twice], axis=1, join="inner").to_numpy()
    n, points = len(both), int(export.ratings[row["rating"]]["points"])
    names = ("icc", "bias", "lower", "upper")
    found: Numbers = {f"{name}{end}": NONE for name in names for end in ("", "_low", "_high")}
    found |= {"repeats": n, "weighted_kappa": NONE}
    if n < 2:
        return found
    found["weighted_kappa"] = kappa(list(both), lambda a, b: 1 - (a - b) ** 2 / (points - 1) ** 2)
    apart = both[:, 0] - both[:, 1]
    bias, sd, t = apart.mean(), apart.std(ddof=1), stats.t.ppf(0.975, n - 1)
    if not sd:
        # A constant shift leaves no residual, and one rating throughout leaves nothing to agree on.
        cases, shift = both.mean(axis=1).var(ddof=1), bias**2 / 2
        found["icc"] = cases / (cases + shift) if cases + shift else NONE
        return found | dict.fromkeys(("bias", "lower", "upper"), bias)
    if not both.mean(axis=1).var():
        # Cases with one mean: the interval has no degrees of freedom.
        spread = sd**2 / 2 + bias**2 - sd**2 / n
        found["icc"] = -(sd**2) / 2 / spread if spread > 1e-12 else NONE
    else:
        found |= {name: value for name, value in intraclass(both).items() if name in found}
    reach = Z * sd
    for name, value, se in (
        ("bias", bias, sd / n**0.5),
        ("lower", bias - reach, sd * (1 / n + Z**2 / (2 * (n - 1))) ** 0.5),
        ("upper", bias + reach, sd * (1 / n + Z**2 / (2 * (n - 1))) ** 0.5),
    ):
        found |= {name: value, f"{name}_low": value - t * se, f"{name}_high": value + t * se}
    return found


def strengths(export: Export, row: Row) -> Numbers:
    """Arms meet the originals only, so each has a log odds of its own, with half a choice to either side (Firth)."""
    given = [asked(export, row["question"], {"arm": arm})[0] for arm in export.arms]
    chosen = {
        a: (int((g["answer"] != g["original_side"]).sum()), len(g)) for a, g in zip(export.arms, given, strict=True)
    }
    odds = {arm: float(np.log((k + 0.5) / (n - k + 0.5))) for arm, (k, n) in chosen.items() if n} | {"": 0.0}
    duels = sum(n for _, n in chosen.values())
    k, n = chosen.get(row["arm"], (duels - sum(k for k, _ in chosen.values()), duels))
    if not n:
        return {"duels": 0, "wins": 0, "strength": NONE, "chance": NONE}
    own = odds[row["arm"]]
    others = [other for arm, other in odds.items() if arm != row["arm"]]
    return {
        "duels": n,
        "wins": k,
        "strength": own - mean(odds.values()),
        "chance": mean(1 / (1 + np.exp(other - own)) for other in others),
    }


def controls(export: Export, row: Row) -> Numbers:
    table = export.ticked[(export.ticked["purpose"] == "control") & export.ticked["assessed"]]
    own = table[table["pair_kind"] == row["pair_kind"]]
    return {
        "pairs": own["pair"].nunique(),
        "readers": own["reader"].nunique(),
        "answers": len(own),
        "one_sided": mean(own["answer"].isin(SIDED)),
    }


def blinding(export: Export, row: Row) -> Numbers:
    """Bang's index: the guess is right where it is not the original's side."""
    table = export.long[(export.long["purpose"] == "guess") & (export.long["question"] == "guess")]
    own = table[(table["arm"] == row["arm"]) & (table["answer"] != "")]
    unsure = int((own["answer"] == "unsure").sum())
    wrong = int((own["answer"] == own["original_side"]).sum())
    right = len(own) - unsure - wrong
    told = {"right": right, "wrong": wrong, "unsure": unsure, "index": (right - wrong) / len(own)}
    return told | {"readers": own["reader"].nunique(), "patients": own["patient"].nunique()}


def cannot_assess(export: Export, row: Row) -> Numbers:
    planned = export.of(row, "finding", "arm")
    given = planned[planned["answer"] != ""]
    cannot, how = given["answer"] == "cannot", row["treatment"]
    if how == "left out":
        given = given[~cannot]
    said: Any = given["appears"]
    if how in ("absent", "present"):
        said = said.where(~cannot, how == "present")
    if how == "own category":
        said = said.astype(object).where(~cannot, "cannot")
    cases = cases_of(given.assign(said=said), "said")
    categories = (False, True, "cannot") if how == "own category" else (False, True)
    coefficients = agreement(cases, categories)
    kept = ("raw_agreement", "ac1", "brennan_prediger", "alpha")
    return {
        "cannot": int(cannot.sum()),
        "readings": len(given),
        "share": mean(v is True or v == 1 for v in said),
    } | {name: coefficients[name] for name in kept}


TABLES: dict[str, Callable[[Export, Row], Numbers]] = {
    "findings": findings, "per-reader": per_reader, "readers": readers, "ratings": ratings,
    "pairs-of-readers": pairs_of_readers, "confirmatory": confirmatory, "comparisons": comparisons,
    "repeats-and-false-alarms": checks, "controls": controls, "blinding": blinding, "missing": missing,
    "times": times, "cannot-assess": cannot_assess, "repeated-ratings": repeated_ratings, "bradley-terry": strengths,
}  # fmt: skip


def recounted(export: Export, name: str, rows: list[dict[str, Any]]) -> list[Numbers]:
    """The numbers of a table's rows; `rows` say what each row is about, and which test was taken."""
    if name in TABLES:
        found = [TABLES[name](export, row) for row in rows]
        if name in ("confirmatory", "comparisons"):
            method = "holm" if name == "confirmatory" else "fdr_bh"
            for row, p in zip(found, multipletests([row["p"] for row in rows], method=method)[1], strict=True):
                row["p_adjusted"] = p
        return found
    key = name.removeprefix("question-")
    count = single_images if key == SINGLE else KINDS[export.questions[key]["kind"]]
    return [count(export, key, row) for row in rows]


def expected_rows(export: Export) -> dict[str, int]:
    """How many rows the tables must have that go over all readers, findings and arms."""
    arms, keys = len(export.arms), len(export.protocol["findings"])
    everybody = export.first["reader"].nunique()
    return {
        "findings": keys * arms,
        "per-reader": everybody * keys * arms,
        "readers": everybody,
        "ratings": len(export.ratings) * arms,
        "pairs-of-readers": everybody * (everybody - 1) // 2,
        "confirmatory": len(export.protocol["analysis"]["family"]),
        "comparisons": keys * arms * (arms - 1) // 2,
        "repeats-and-false-alarms": everybody,
        "controls": len(export.protocol["controls"]),
        "missing": everybody * arms,
        "times": everybody * (arms + 1),
        "cannot-assess": keys * arms * 4,
        "repeated-ratings": everybody * len(export.ratings),
        "bradley-terry": sum(q["kind"] == "forced_choice" for q in export.questions.values()) * (arms + 1),
    }


def number(cell: Any) -> float:
    """A cell of a CSV as a number, nan where it is empty."""
    if cell == "":
        return NONE
    return float({"true": 1, "True": 1, "false": 0, "False": 0}.get(str(cell), cell))


def is_number(column: pd.Series) -> bool:
    try:
        column.map(number)
    except ValueError:
        return False
    return bool((column != "").any())


def table_of(files: Mapping[str, bytes], name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(files[f"tables/{name}.csv"]), float_precision="round_trip", keep_default_na=False)


def own_tables(files: Mapping[str, bytes]) -> list[str]:
    """Tables that are made from the readings alone; the chair's decisions and the scores against reference answers
    come from elsewhere."""
    names = {name[7:-4] for name in files if name.startswith("tables/") and name.endswith(".csv")}
    questions = {f"question-{key}" for key in (*Export(files).questions, SINGLE)}
    return sorted(names & (TABLES.keys() | questions))


def check_every_number(files: Mapping[str, bytes]) -> int:
    """Hold every number of the tables of an export to what its long table says; how many there were."""
    export, compared = Export(files), 0
    for name in own_tables(files):
        table = table_of(files, name)
        assert len(table) == expected_rows(export).get(name, len(table)), name
        rows = table.to_dict("records")
        again = recounted(export, name, rows)
        bounds = {f"{column}_{end}" for column in table.columns for end in ("low", "high")} | {"low", "high"}
        for column in (column for column in table.columns if is_number(table[column])):
            counted = [i for i, row in enumerate(again) if column in row]
            # An interval without a closed form comes from resampling.
            assert len(counted) == len(rows) or column in bounds, f"{name}: {column} is not recounted"
            for i in counted:
                compared += 1
                value, expected = number(rows[i][column]), again[i][column]
                expected = float(expected) if isinstance(expected, bool) else expected
                assert value == pytest.approx(expected, abs=1e-9, rel=1e-9, nan_ok=True), (name, column, rows[i])
        for row, numbers in zip(rows, again, strict=True):
            lost = {column for column, value in numbers.items() if column not in row and not np.isnan(value)}
            assert not lost, f"{name} lacks {lost}"
    return compared
