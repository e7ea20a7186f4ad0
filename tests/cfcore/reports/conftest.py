import io

import numpy as np
import pytest
from PIL import Image

from cfcore.reports.content import CaseReading, Picture, ReportCase, ReportContent, ReportEntry
from cfcore.study.agreement import cohen_pairs
from cfcore.study.decode import decode_ratings, decode_readings
from cfcore.study.findings import findings_table, headline, per_reader
from cfcore.study.protocol import DEFAULT_RATINGS, FINDING_LISTS, Arm, Protocol, digest
from cfcore.study.ratings import ratings_table
from cfcore.study.readers import readers_table
from cfcore.study.schedule import make_schedule
from cfcore.study.shaping import wide
from cfcore.study.simulated import SimulatedReader, simulate_study

FINDINGS = FINDING_LISTS["cardiomegaly"]
ARMS = (Arm("v17+", "v17 +"), Arm("v2-", "v2 −"))
READERS = ("R1", "R2", "R3")
PROTOCOL = Protocol(
    "Cardiomegaly & <friends>", "Chest radiographs", FINDINGS, DEFAULT_RATINGS, ARMS, n_per_arm=6, seed=3
)


def png(seed: int, side: int = 48) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def simulated_rows() -> list[dict]:
    """Two arms of six pairs; the cardiothoracic ratio rises in all of the first, age in half of the second."""
    arm_of = {pair: ARMS[pair // 6].key for pair in range(12)}
    truth = {
        (pair, f.key): (False, (f.key == "ctr" and pair < 6) or (f.key == "older" and pair in (6, 7, 8)))
        for pair in arm_of
        for f in FINDINGS
    }
    readers = [SimulatedReader(k, 0.95, 0.97, cannot=0.02) for k in READERS]
    schedules = {r.key: make_schedule(list(arm_of), r.key, 3, arm_of) for r in readers}
    keys = [f.key for f in FINDINGS]
    rows = simulate_study(readers, schedules, truth, keys, np.random.default_rng(0), DEFAULT_RATINGS)
    return [row | {"arm": arm_of[row["pair"]], "patient": f"P{row['pair']:02d}"} for row in rows]


@pytest.fixture(scope="session")
def decoded():
    return decode_readings(simulated_rows(), [f.key for f in FINDINGS])


@pytest.fixture(scope="session")
def rated():
    return decode_ratings(simulated_rows(), [r.key for r in DEFAULT_RATINGS])


@pytest.fixture(scope="session")
def table(decoded):
    return findings_table(decoded, FINDINGS, ARMS, np.random.default_rng(0), resamples=300)


@pytest.fixture(scope="session")
def content(decoded, rated, table):
    seen = {f.key: "appears" if f.key == "ctr" else "neither" for f in FINDINGS}
    reading = CaseReading("R1", seen, {"realism": 4, "identity": None}, "tip <i>odd</i>", 31.0)
    cases = [
        ReportCase(f"C{i:02d}", f"P{i:02d}", "v17+", [reading], {"flipped": "yes"}, [Picture("Original", png(i))])
        for i in range(4)
    ]
    entry = ReportEntry("A note", "<p>It draws <em>hearts</em>.</p><script>alert(1)</script>", png(9), {"degree": 10})
    rng = np.random.default_rng(1)
    return ReportContent(
        protocol=PROTOCOL,
        digest=digest(PROTOCOL),
        status="Closed 14 Nov 2026",
        created="15 Nov 2026",
        headline=headline(decoded, rng, resamples=300),
        findings=table,
        per_reader=per_reader(decoded, FINDINGS, ARMS),
        readers=readers_table(decoded),
        ratings=ratings_table(rated, DEFAULT_RATINGS, ARMS, rng, resamples=300),
        pairs_of_readers=cohen_pairs(wide(decoded, "appears", ("patient", "pair", "finding"))),
        cases=cases,
        entries=[entry],
        simulated=READERS,
        versions={"cfreader": "0.1.0"},
        limitations=("Only <twelve> pairs.",),
    )
