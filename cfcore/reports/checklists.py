"""Reporting checklists, filled in where the study's own data allow.

GRRAS: Kottner et al. 2011, J Clin Epidemiol 64:96 (15 items). CLAIM: Tejani et al. 2024, Radiology: Artificial
Intelligence 6:e240300 (44 items). The items are given in our own short words; authors quote the originals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cfcore.reports.facts import StudyFacts
from cfcore.reports.numbers import percent
from cfcore.study.findings import Headline
from cfcore.study.protocol import Protocol
from cfcore.wording import counted

ABSENT = "not reported by this study"


@dataclass(frozen=True)
class Item:
    """`number` and `asks` of the checklist; `answer`: what this report says, or ABSENT."""

    number: int
    section: str
    asks: str
    answer: str

    @property
    def reported(self) -> bool:
        return self.answer != ABSENT


_GRRAS: Sequence[tuple[str, str]] = (
    ("Title and abstract", "Title or abstract says that agreement or reliability was investigated"),
    ("Introduction", "The instrument or device is named and described"),
    ("Introduction", "The subject population of interest"),
    ("Introduction", "The rater population of interest"),
    ("Introduction", "What is known about agreement, and the rationale of the study"),
    ("Methods", "How the sample size was chosen: raters, subjects, replicate observations"),
    ("Methods", "Sampling of subjects and raters"),
    ("Methods", "The rating process: interval between repeats, information given, blinding"),
    ("Methods", "Whether ratings were made independently"),
    ("Methods", "Statistical analysis"),
    ("Results", "Actual numbers of raters, subjects and replicates"),
    ("Results", "Characteristics of raters and subjects"),
    ("Results", "Estimates of agreement with their uncertainty"),
    ("Discussion", "Practical relevance of the results"),
    ("Auxiliary material", "Detailed results"),
)

_CLAIM: Sequence[tuple[str, str]] = (
    ("Title and abstract", "Identified as a study of AI, with the category of technology"),
    ("Title and abstract", "Structured summary of design, methods, results, conclusions"),
    ("Introduction", "Background, intended use and role of the AI approach"),
    ("Introduction", "Aims, objectives, hypotheses"),
    ("Study design", "Prospective or retrospective"),
    ("Study design", "Goal of the study"),
    ("Data", "Data sources"),
    ("Data", "Inclusion and exclusion criteria"),
    ("Data", "Preprocessing"),
    ("Data", "Selection of data subsets"),
    ("Data", "De-identification"),
    ("Data", "How missing data were handled"),
    ("Data", "Image acquisition protocol"),
    ("Reference standard", "How the reference standard was obtained"),
    ("Reference standard", "Why it was chosen"),
    ("Reference standard", "Source of its annotations"),
    ("Reference standard", "Annotation of the test set"),
    ("Reference standard", "Inter- and intrarater variability"),
    ("Data partitions", "How data were assigned to partitions"),
    ("Data partitions", "Level at which partitions are disjoint"),
    ("Testing data", "Intended sample size"),
    ("Model", "Description of the model"),
    ("Model", "Software libraries, frameworks, packages"),
    ("Model", "Initialisation of parameters"),
    ("Training", "Training approach"),
    ("Training", "How the final model was selected"),
    ("Training", "Ensembling"),
    ("Evaluation", "Metrics"),
    ("Evaluation", "Measures of significance and uncertainty"),
    ("Evaluation", "Robustness or sensitivity analysis"),
    ("Evaluation", "Explainability or interpretability"),
    ("Evaluation", "Evaluation on internal data"),
    ("Evaluation", "Testing on external data"),
    ("Evaluation", "Registration of the trial"),
    ("Results: data", "Numbers included and excluded"),
    ("Results: data", "Demographic and clinical characteristics in each partition"),
    ("Results: performance", "Performance with uncertainty"),
    ("Results: performance", "Diagnostic performance with precision"),
    ("Results: performance", "Failure analysis"),
    ("Discussion", "Limitations"),
    ("Discussion", "Implications for practice"),
    ("Other information", "Full protocol or technical details"),
    ("Other information", "Availability of software, model, data"),
    ("Other information", "Funding and role of funders"),
)


def grras(protocol: Protocol, facts: StudyFacts, line: Headline) -> list[Item]:
    """The 15 items of GRRAS with the place in this report or a sentence."""
    profiled = [r for r in facts.readers if r.specialty]
    repeats = f"; {counted(protocol.repeats.n, 'repeat')} per reader" if protocol.repeats else "; no repeats"
    answers = {
        1: "Title of this report: blinded reader study with agreement between readers",
        2: f"Counterfactuals by {facts.engine}, read on screen; Methods" if facts.engine else "Methods",
        3: f"Images of “{facts.dataset}”; Methods" if facts.dataset else "",
        4: _profiles(facts) if profiled else "",
        5: protocol.notes and f"Notes of the protocol: {protocol.notes}",
        6: f"{counted(protocol.design.readers or line.readers, 'reader')}, {counted(line.pairs, 'pair')}{repeats}",
        7: "Images by lot, one of a patient; readers by invitation; Methods",
        8: "Side by side as A and B, sides and order by lot, no clinical information; Methods",
        9: "Each reader alone, without seeing others’ answers; Methods",
        10: "Methods, Analysis",
        11: f"{counted(line.readers, 'reader')}, {counted(line.pairs, 'pair')} of {counted(line.patients, 'patient')}, "
        f"{line.readings_done} of {line.readings_planned} readings",
        12: _profiles(facts) if profiled else "",
        13: "Results: every coefficient with a 95 % interval",
        14: "",
        15: "Every answer is in the long table that comes with this report",
    }
    return _filled(_GRRAS, answers)


def claim(protocol: Protocol, facts: StudyFacts, line: Headline) -> list[Item]:
    """The 44 items of CLAIM 2024 with the place in this report or a sentence."""
    plan = protocol.analysis
    phantom = facts.dataset_kind == "phantom"
    answers = {
        1: "Title: counterfactual explanations of an image classifier (deep learning)",
        2: "Summary",
        4: plan.question if plan else "",
        5: "Prospective reading of images collected before" if facts.dataset else "",
        6: "Which findings appear under which change of the image, and how far readers agree",
        7: f"“{facts.dataset}”, {counted(facts.n_images, 'image')}" if facts.dataset else "",
        8: "Methods, Selection of pairs" if facts.selection or facts.flow else "",
        10: f"{counted(line.pairs, 'pair')} by lot from the split “{facts.split}”" if facts.split else "",
        11: "No patient data in the workspace’s database, file names or exports; patients are numbered",
        12: "“Cannot assess” and missing answers are counted and enter no denominator",
        13: "Procedural phantoms, no acquisition" if phantom else "",
        14: facts.reference and f"Reference answers: {facts.reference}",
        15: "Phantoms: what is in the image is known by construction" if phantom and facts.reference else "",
        16: facts.reference,
        17: "Readers’ checklist; Methods, Reading",
        18: "Results, Agreement" + (" and repeats" if protocol.repeats else ""),
        19: f"Split “{facts.split}” of the data set, fixed at import" if facts.split else "",
        20: "Patient" if facts.split else "",
        21: "Methods, Sample size",
        22: ", ".join(filter(None, (facts.engine, facts.classifier, facts.generator))),
        23: "To repeat this: versions",
        28: "Prevalence, its paired difference, agreement coefficients",
        29: "95 % intervals by bootstrap over patients; Holm for the locked family, Benjamini-Hochberg elsewhere",
        30: "“Cannot assess” as absent, present, own category (tables of the export)",
        31: "The study’s subject: counterfactual explanations",
        32: f"{facts.split} split of “{facts.dataset}”" if facts.dataset and facts.split else "",
        34: f"Locked protocol, SHA-256 {facts.digest}; not a public registration" if facts.digest else "",
        35: "; ".join(f"{step} {n}" for step, n in facts.flow)
        or f"{counted(line.pairs, 'pair')} of {counted(line.patients, 'patient')}",
        37: "Results, Findings and Agreement",
        38: "Results, Accuracy" if facts.reference else "",
        39: "Pairs whose class did not flip are kept and named; Cases",
        40: "Limitations",
        42: "protocol.json in the export, with its digest",
        43: "cfreader is free software; weights and images by their hashes in manifest.json",
    }
    return _filled(_CLAIM, answers)


def share_reported(items: Sequence[Item]) -> str:
    """ "38 of 44 items (86 %)"."""
    n = sum(item.reported for item in items)
    return f"{n} of {len(items)} items ({percent(n / len(items))})"


def _filled(asked: Sequence[tuple[str, str]], answers: Mapping[int, str]) -> list[Item]:
    return [Item(n, section, asks, answers.get(n) or ABSENT) for n, (section, asks) in enumerate(asked, 1)]


def _profiles(facts: StudyFacts) -> str:
    told = [
        f"{r.label} {r.specialty}" + (f", {r.years:g} years" if r.years is not None else "")
        for r in facts.readers
        if r.specialty
    ]
    return "Readers: " + "; ".join(told)
