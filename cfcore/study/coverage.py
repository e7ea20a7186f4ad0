"""How often the intervals of a study hold the truth: simulated studies through the same code as real ones."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfcore.study.agreement import (
    brennan_prediger,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
)
from cfcore.study.estimate import Estimate
from cfcore.study.findings import findings_table, per_reader
from cfcore.study.protocol import Arm, Finding

CLOSED_FORMS: dict[str, Callable[..., Estimate]] = {
    "raw_agreement": percent_agreement,
    "ac1": gwet_ac,
    "fleiss": fleiss_kappa,
    "conger": conger_kappa,
    "brennan_prediger": brennan_prediger,
    "alpha": krippendorff_alpha,
}
COLUMNS = ("statistic", "interval", "truth", "covered", "width", "without")
# Draws for the mean of the readers' skills, whose error does not matter beside that of the coverage.
_POPULATION = 200_000


@dataclass(frozen=True)
class Scenario:
    """A study to simulate. prevalence: share of counterfactuals with the finding; original: of originals.

    sensitivity, specificity: of the readers; spread: standard deviation on the logit scale by which both differ from
    reader to reader (0: all alike). All errors are independent, given the truth.
    """

    patients: int
    readers: int = 3
    prevalence: float = 0.5
    original: float = 0.2
    sensitivity: float = 0.9
    specificity: float = 0.95
    spread: float = 0.0


def _skills(mean: float, spread: float, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    logit = np.log(mean / (1 - mean))
    return np.asarray(1 / (1 + np.exp(-(logit + spread * rng.normal(size=shape)))))


def truths(scenario: Scenario, rng: np.random.Generator) -> dict[str, float]:
    """What every statistic estimates: of readers like the scenario's, on patients like them."""
    hit, right = (
        float(_skills(m, scenario.spread, (_POPULATION,), rng).mean())
        for m in (scenario.sensitivity, scenario.specificity)
    )
    q = scenario.prevalence
    share = q * hit + (1 - q) * (1 - right)
    before = scenario.original * hit + (1 - scenario.original) * (1 - right)
    agree = q * (hit**2 + (1 - hit) ** 2) + (1 - q) * (right**2 + (1 - right) ** 2)
    kappa = (agree - share**2 - (1 - share) ** 2) / (2 * share * (1 - share))
    return {
        "share": share,
        "difference": share - before,
        "raw_agreement": agree,
        "ac1": (agree - 2 * share * (1 - share)) / (1 - 2 * share * (1 - share)),
        "fleiss": kappa,
        "conger": kappa,
        "brennan_prediger": 2 * agree - 1,
        "alpha": kappa,
    }


def _studies(scenario: Scenario, rng: np.random.Generator, studies: int) -> pd.DataFrame:
    """Decoded readings of `studies` studies, each in the place of a finding."""
    shape = (studies, scenario.patients, scenario.readers)
    hit = _skills(scenario.sensitivity, scenario.spread, (studies, 1, scenario.readers), rng)
    right = _skills(scenario.specificity, scenario.spread, (studies, 1, scenario.readers), rng)
    ticks = []
    for prevalence in (scenario.original, scenario.prevalence):
        present = rng.random(shape[:2])[..., None] < prevalence
        ticks.append((rng.random(shape) < np.where(present, hit, 1 - right)).ravel())
    study, patient, reader = (axis.ravel() for axis in np.indices(shape))
    before, after = (pd.array(x, dtype="boolean") for x in ticks)
    return pd.DataFrame(
        {
            "reader": reader,
            "arm": "arm",
            "patient": patient,
            "pair": patient,
            "finding": study.astype(str),
            "status": "assessed",
            "in_original": before,
            "in_counterfactual": after,
            "appears": after & ~before,
            "disappears": before & ~after,
        }
    )


def coverage(
    scenario: Scenario, rng: np.random.Generator, *, studies: int = 400, resamples: int = 1000, level: float = 0.95
) -> pd.DataFrame:
    """One row per statistic and interval: how often it held the truth.

    Columns (`COLUMNS`): statistic, interval ("bootstrap over patients", "patients x readers", "closed form", "Wilson,
    one reader", "Newcombe, one reader"), truth, covered (share of the studies with an interval; nominal is `level`,
    standard error about sqrt(0.05 x 0.95 / studies)), width (median), without (share of studies without an interval).
    Agreement and share are of the finding in the counterfactual. Where readers differ (`spread` above 0) only
    "patients x readers" estimates the truth of readers like these, so only its rows are given, from five readers on.
    """
    truth = truths(scenario, rng)
    decoded = _studies(scenario, rng, studies)
    findings = [Finding(str(i), str(i)) for i in range(studies)]
    arm = [Arm("arm", "arm")]
    table = findings_table(decoded, findings, arm, rng, outcome="in_counterfactual", resamples=resamples, level=level)
    rows = []

    def judge(statistic: str, interval: str, low: pd.Series, high: pd.Series) -> None:
        bounds = pd.DataFrame({"low": low, "high": high}).astype(float).dropna()
        held = (bounds["low"] <= truth[statistic] + 1e-12) & (bounds["high"] >= truth[statistic] - 1e-12)
        width = float((bounds["high"] - bounds["low"]).median()) if len(bounds) else None
        covered = float(held.mean()) if len(bounds) else None
        rows.append((statistic, interval, truth[statistic], covered, width, 1 - len(bounds) / len(low)))

    if scenario.readers >= 5:
        for name in ("share", "difference"):
            judge(name, "patients x readers", table[f"{name}_general_low"], table[f"{name}_general_high"])
    if scenario.spread == 0:
        for name in truth:
            judge(name, "bootstrap over patients", table[f"{name}_low"], table[f"{name}_high"])
        ticks = decoded["in_counterfactual"].to_numpy(dtype=bool).reshape(studies, scenario.patients, scenario.readers)
        for name, function in CLOSED_FORMS.items():
            found = [function(x, categories=(False, True), level=level) for x in ticks]
            judge(name, "closed form", pd.Series([e.low for e in found]), pd.Series([e.high for e in found]))
        one = per_reader(decoded[decoded["reader"] == 0], findings, arm, level=level)
        judge(
            "share", "Wilson, one reader", one["prevalence_counterfactual_low"], one["prevalence_counterfactual_high"]
        )
        judge("difference", "Newcombe, one reader", one["difference_low"], one["difference_high"])
    return pd.DataFrame(rows, columns=list(COLUMNS))
