from __future__ import annotations

import dataclasses

import numpy as np

from cfcore.reports.checklists import ABSENT, claim, grras, share_reported
from cfcore.reports.confirmatory import confirmatory_table
from cfcore.reports.facts import LookFacts, ReaderFacts, StudyFacts
from cfcore.reports.methods import methods_text
from cfcore.study.analysis_plan import AnalysisPlan, Hypothesis
from cfcore.study.findings import headline
from cfcore.study.questions import ForcedChoice
from tests.cfcore.reports.whole_study import WHOLE, whole_study

FACTS = StudyFacts(
    "cd" * 32, engine="StylEx with EigenFind", classifier="Net", dataset="Chest", n_images=900, target="Cardiomegaly",
    split="test", readers=[ReaderFacts("R1", False, "Radiology", 7.0), ReaderFacts("R2", False, replaces="R1")],
)  # fmt: skip


def said(**changes: object) -> str:
    return " ".join(text for _, text in methods_text(WHOLE, dataclasses.replace(FACTS, **changes)))


def test_the_methods_say_what_the_protocol_fixed() -> None:
    text = said()
    for words in ("“Chest”", "StylEx with EigenFind", "2 of the same image twice", "2 pairs came again",
                  "10 % of the pairs",
                  "R1 Radiology, 7 years", "R2 took over the remaining cases of R1", "family of 3 hypotheses",
                  "Nobody looked at the results", "12 pairs, 3 control pairs, 2 repeats per reader",
                  "findings by Gwet’s AC1; ratings by ICC(2,1)"):  # fmt: skip
        assert words in text, words
    asked = dataclasses.replace(WHOLE, questions=(ForcedChoice(key="real", text="Which one is real?"),))
    ranked = "Bradley and Terry’s model"
    assert ranked not in text and ranked in " ".join(words for _, words in methods_text(asked, FACTS))
    assert "meets a patient" not in text and "up to 4 times" in said(
        exposure="Every reader meets a patient up to 4 times.",
    )
    assert "test pattern" not in text and "saw a test pattern" in said(
        screens="Before 2 sessions readers saw a test pattern."
    )
    assert "Ethics" not in text and "consented" not in text, "what is not known is left out"


def test_an_unplanned_look_is_told_for_good() -> None:
    text = said(looks=[LookFacts(1, "1 Nov 2026", 0.5), LookFacts(None, "3 Nov 2026", 0.7, "the sponsor asked")])
    assert "1 planned look was taken" in text and "“the sponsor asked”" in text and "exploratory" in text


def test_checklists_are_complete_and_honest() -> None:
    line = headline(whole_study()[0], np.random.default_rng(0), resamples=50)
    ours, theirs = grras(WHOLE, FACTS, line), claim(WHOLE, FACTS, line)
    assert [item.number for item in ours] == list(range(1, 16))
    assert [item.number for item in theirs] == list(range(1, 45))
    assert {1, 44, 25} - {item.number for item in theirs if item.reported} == {44, 25}, "nothing is made up"
    assert theirs[43].answer == ABSENT
    assert share_reported(ours).endswith("%)") and "of 15 items" in share_reported(ours)
    empty = claim(dataclasses.replace(WHOLE, analysis=None), StudyFacts(), line)
    assert sum(item.reported for item in empty) < sum(item.reported for item in theirs)


def test_a_hypothesis_has_the_sign_of_its_plan() -> None:
    decoded, rated, _ = whole_study()
    family = (Hypothesis("ctr", ("v17+", "v2-")), Hypothesis("ctr", ("v2-", "v17+")), Hypothesis("ctr", ("v17+",)))
    for estimand in ("appears", "difference"):
        plan = AnalysisPlan("?", "ctr", estimand, ("v17+", "v2-"), family=family)
        table = confirmatory_table(decoded, rated, plan, np.random.default_rng(0))
        first, turned, alone = table["difference"]
        assert first > 0.5 and turned == -first and alone > 0.5
        assert (table["p_adjusted"] >= table["p"]).all() and set(table["adjustment"]) == {"Holm"}
    disappears = AnalysisPlan("?", "ctr", "disappears", ("v17+", "v2-"), family=family[:1])
    assert abs(confirmatory_table(decoded, rated, disappears, np.random.default_rng(0))["difference"][0]) < 0.3


def test_without_a_plan_nothing_is_confirmatory() -> None:
    decoded, rated, _ = whole_study()
    assert len(confirmatory_table(decoded, rated, None, np.random.default_rng(0))) == 0
