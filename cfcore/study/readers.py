"""The readers themselves: how much they read, how long they took, and how far they agree with themselves."""

import pandas as pd

from cfcore.study.agreement import gwet_ac
from cfcore.study.intervals import wilson
from cfcore.study.shaping import flat, readings_only

READER_COLUMNS = (
    "reader", "planned", "done", "answers", "cannot", "missing", "median_seconds", "first_side",
)  # fmt: skip


def readers_table(decoded: pd.DataFrame) -> pd.DataFrame:
    """One row per reader: cases planned and done, answers, cannot, missing, median seconds, share of side A.

    A case is done as soon as one finding was answered. `first_side`: of the answers that name one side, the
    share that names A; far from one half it shows a side bias. None where there is no such answer or no time.
    """
    first = readings_only(decoded)
    rows = []
    for reader, data in first.groupby("reader", sort=False):
        cases = data.groupby("pair", sort=False)
        done = cases["status"].agg(lambda s: bool((s != "missing").any()))
        seconds = cases["seconds"].first()[done].dropna()
        sided = data[data["answer"].isin(["A", "B"])]
        rows.append(
            {
                "reader": reader,
                "planned": len(done),
                "done": int(done.sum()),
                "answers": int((data["status"] != "missing").sum()),
                "cannot": int((data["status"] == "cannot").sum()),
                "missing": int((data["status"] == "missing").sum()),
                "median_seconds": float(seconds.median()) if len(seconds) else None,
                "first_side": float((sided["answer"] == "A").mean()) if len(sided) else None,
            }
        )
    return pd.DataFrame(rows, columns=list(READER_COLUMNS))


def reader_checks(decoded: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """One row per reader: agreement with oneself on repeats, and false alarms on pairs of two identical
    images.

    Columns: reader, repeats and controls (cases), `intra_reader` (AC1 of "appears" between the first reading
    and the repeat of a pair, each finding a case, closed form) and `false_alarms` (share of answers on
    controls that name one side, Wilson), each with _low, _high, _note. None with a note where there is no
    repeat or no control.
    """
    rows = []
    for reader, data in decoded.groupby("reader", sort=False):
        keys = ["pair", "finding"]
        first = data[data["purpose"] == "reading"].set_index(keys)["appears"]
        again = data[data["purpose"] == "repeat"].set_index(keys)["appears"]
        both = pd.concat([first, again], axis=1, keys=["first", "again"], join="inner")
        controls = data[(data["purpose"] == "control") & (data["status"] == "assessed")]
        alarms = int(controls["answer"].isin(["A", "B"]).sum())
        rows.append(
            {
                "reader": reader,
                "repeats": data.loc[data["purpose"] == "repeat", "pair"].nunique(),
                "controls": data.loc[data["purpose"] == "control", "pair"].nunique(),
            }
            | flat("intra_reader", gwet_ac(both, categories=(False, True), level=level))
            | flat("false_alarms", wilson(alarms, len(controls), level))
        )
    return pd.DataFrame(rows)
