"""The methods section, written from the protocol: what was fixed, in sentences that a paper can take over."""

from cfcore.reports.facts import ReaderFacts, StudyFacts
from cfcore.reports.numbers import percent
from cfcore.study.analysis_plan import ESTIMANDS, AnalysisPlan
from cfcore.study.protocol import Protocol
from cfcore.study.questions import ForcedChoice
from cfcore.study.resampling import RESAMPLES
from cfcore.wording import counted, direction_name

Paragraph = tuple[str, str]

_ALLOCATION = {
    "own patients": "Every arm had patients of its own, so that a reader met each patient once, repeats apart.",
    "same patients": "The same patients were shown under every arm, so that a reader met each patient once per arm.",
    "rotated patients": (
        "Groups of patients were rotated over the arms by a Latin square over groups of readers, so that a reader met "
        "each patient once."
    ),
}
_CONTROLS = {
    "identical": "the same image twice (any finding on one side only is a false alarm)",
    "reconstruction": "an original beside its reconstruction (what the method changes without being asked to)",
    "filter": "an original beside a plainly filtered copy of like strength",
    "patients": "images of two different patients",
}
_TESTS = {
    "interval": "judged by its 95 % bootstrap interval",
    "permutation": "tested by permutation, two-sided",
    "GEE": "tested by generalised estimating equations clustered on patients, two-sided",
}


def methods_text(protocol: Protocol, facts: StudyFacts) -> list[Paragraph]:
    """(heading, paragraph) in the order of GRRAS 3 to 10; what is not known is left out, nothing is made up."""
    return [
        (heading, text)
        for heading, text in (
            ("Question", _question(protocol)),
            ("Images and counterfactuals", _images(protocol, facts)),
            ("Selection of pairs", _selection(protocol, facts)),
            ("Readers", _readers(facts)),
            ("Reading", _reading(protocol)),
            ("Order and controls", _order(protocol)),
            ("Sample size", _size(protocol, facts)),
            ("Analysis", _analysis(protocol, facts)),
            ("Interim looks", _looks(facts)),
            ("Protocol", _locked(protocol, facts)),
        )
        if text
    ]


def _question(protocol: Protocol) -> str:
    plan = protocol.analysis
    return direction_name(plan.question) if plan else ""


def _images(protocol: Protocol, facts: StudyFacts) -> str:
    arms = ", ".join(direction_name(arm.name) for arm in protocol.arms)
    source = ""
    if facts.dataset:
        kind = (
            "procedural phantom radiographs whose findings are known" if facts.dataset_kind == "phantom" else "images"
        )
        drawn = f", split “{facts.split}”" if facts.split else ""
        source = f"The images came from “{facts.dataset}” ({kind}{drawn}). "
    made = f"made with {facts.engine}" if facts.engine else "made with a counterfactual engine"
    against = f" against the classifier “{facts.classifier}”" if facts.classifier else ""
    target = f", towards the class “{facts.target}”" if facts.target else ""
    degrees = sorted({protocol.degree_of(arm) for arm in protocol.arms})
    step = f"the degree {degrees[0]:g}" if len(degrees) == 1 else f"degrees {', '.join(f'{d:g}' for d in degrees)}"
    stands = " The reconstruction stood for the original." if protocol.reference == "reconstruction" else ""
    return (
        f"{source}Counterfactuals were {made}{against}{target}, at {step}, fixed before reading, whether or not the "
        f"class flipped, and drawn by {protocol.rendering}.{stands} The arms were {arms}."
    )


def _selection(protocol: Protocol, facts: StudyFacts) -> str:
    parts = [
        f"{counted(protocol.n_per_arm, 'pair')} per arm were drawn at random, one image of a patient"
        + (f" ({facts.selection})" if facts.selection else "")
        + ".",
        _ALLOCATION.get(protocol.allocation, ""),
        facts.exposure,
    ]
    gate, asked = protocol.gate, []
    if gate.same_class:
        asked.append("the classifier called original and reconstruction alike")
    if gate.ssim_floor:
        asked.append(f"their structural similarity was at least {gate.ssim_floor:g}")
    if gate.flipped != "any":
        asked.append(f"the class {'flipped' if gate.flipped == 'yes' else 'did not flip'}")
    if asked:
        parts.append(f"A pair was shown only if {' and '.join(asked)}; exclusions are counted in the flow below.")
    return " ".join(part for part in parts if part)


def _readers(facts: StudyFacts) -> str:
    people = [reader for reader in facts.readers if not reader.simulated]
    programs = [reader for reader in facts.readers if reader.simulated]
    parts = []
    if people:
        parts.append(f"{counted(len(people), 'reader')} took part{_profiles(people)}.")
    if programs:
        labels = ", ".join(reader.label for reader in programs)
        were = "was a program" if len(programs) == 1 else "were programs"
        parts.append(f"{counted(len(programs), 'reader')} ({labels}) {were} with set skill.")
    taken = [f"{r.label} took over the remaining cases of {r.replaces}" for r in facts.readers if r.replaces]
    if taken:
        parts.append(f"{'; '.join(taken)}.")
    if facts.screens:
        parts.append(facts.screens)
    if facts.consent:
        parts.append("Every reader consented before the first case.")
    if facts.ethics:
        parts.append(f"Ethics approval: {facts.ethics}.")
    return " ".join(parts)


def _profiles(people: list[ReaderFacts]) -> str:
    told = [f"{r.label} {r.specialty}, {r.years:g} years" for r in people if r.specialty and r.years is not None]
    return f" ({'; '.join(told)})" if told else ""


def _reading(protocol: Protocol) -> str:
    findings = "; ".join(f"{f.label} ({f.kind})" for f in protocol.findings)
    text = (
        "Readers saw original and counterfactual side by side as A and B, without knowing which was which, what had "
        "made "
        f"the pair, what the classifier said or what other readers answered, under the neutral title "
        f"“{protocol.reader_title}”. "
        "For every case they answered one list of findings, fixed before any pair was shown: seen in A only, in B "
        "only, "
        f"in both, in neither, or cannot assess. The findings were: {findings}."
    )
    if protocol.ratings:
        rated = "; ".join(f"“{r.question}” from 1 ({r.low}) to {r.points} ({r.high})" for r in protocol.ratings)
        text += f" They also rated each pair: {rated}."
    if protocol.questions:
        text += f" {counted(len(protocol.questions), 'further question')} followed: " + "; ".join(
            f"“{question.text}”" for question in protocol.questions
        )
        text += "."
    return text


def _order(protocol: Protocol) -> str:
    design = protocol.design
    order = {
        "random": "The order of cases was drawn at random for each reader",
        "permuted blocks": "The order of cases was drawn for each reader in permuted blocks over the arms",
        "Latin square": "Arms were read one after the other, their order balanced over readers by Williams’ design",
    }.get(design.order, "The order of cases was drawn for each reader")
    parts = [f"{order}; the side of the original was drawn for each case, balanced within arms."]
    if design.cases == "blocks":
        parts.append(
            f"Each case was read by {design.readers_per_case} of {counted(design.readers, 'reader')} (incomplete "
            "blocks)."
        )
    if protocol.controls:
        kinds = "; ".join(f"{c.n} of {_CONTROLS.get(c.kind, c.kind)}" for c in protocol.controls)
        parts.append(f"Control pairs were mixed in, unmarked: {kinds}. They enter neither prevalence nor agreement.")
    if repeats := protocol.repeats:
        washout = f" and {counted(repeats.washout_days, 'day')}" if repeats.washout_days else ""
        parts.append(
            f"{counted(repeats.n, 'pair')} came again at a distance of at least {repeats.min_distance} cases{washout}, "
            "with sides drawn anew; only first readings enter prevalence and agreement between readers."
        )
    if training := protocol.training:
        parts.append(
            f"Before the first counted case readers were trained on {counted(training.n, 'case')} with feedback, "
            "pass mark "
            f"{percent(training.pass_mark)}."
        )
    if protocol.single_share:
        parts.append(
            f"Before the first pair readers saw one image of {percent(protocol.single_share)} of the pairs alone, and "
            "said for each finding whether it was present."
        )
    if protocol.guess_share:
        parts.append(f"At the end readers guessed the generated side on {percent(protocol.guess_share)} of the pairs.")
    return " ".join(parts)


def _size(protocol: Protocol, facts: StudyFacts) -> str:
    planned = protocol.design.readers or len(facts.readers)
    if not planned:
        return ""
    total = protocol.n_per_arm * len(protocol.arms)
    controls = sum(control.n for control in protocol.controls)
    extra = f", {counted(controls, 'control pair')}" if controls else ""
    again = f", {counted(protocol.repeats.n, 'repeat')} per reader" if protocol.repeats else ""
    return f"Planned were {counted(planned, 'reader')} and {counted(total, 'pair')}{extra}{again}."


def _analysis(protocol: Protocol, facts: StudyFacts) -> str:
    parts = [
        "Answers were decoded to original and counterfactual before anything was counted; agreement is computed on "
        "what "
        "appears (in the counterfactual and not in the original), never on A and B. The patient is the unit of every "
        f"interval: pooled numbers have 95 % bootstrap intervals over patients ({RESAMPLES} resamples, percentiles "
        "widened "
        "for few patients), a reader’s own shares Wilson intervals, paired differences Newcombe’s method 10. “Cannot "
        "assess” and missing answers are counted and enter no denominator.",
    ]
    if protocol.repeats:
        rated = (
            "; ratings by ICC(2,1), quadratically weighted kappa and Bland-Altman limits" if protocol.ratings else ""
        )
        parts.append(f"Readers were compared with themselves on pairs read twice: findings by Gwet’s AC1{rated}.")
    if any(isinstance(question, ForcedChoice) for question in protocol.questions):
        parts.append(
            "In forced choices arms and originals were ranked by Bradley and Terry’s model (Firth’s penalised "
            "likelihood, bootstrap over patients)."
        )
    if plan := protocol.analysis:
        parts.append(_plan_text(protocol, plan))
    parts.append(
        "All other comparisons between arms are exploratory, with the Benjamini-Hochberg correction: generalised "
        "estimating equations clustered on the patient, reader as fixed effect and bias-reduced covariance; "
        "permutation "
        "where there are fewer than 20 patients."
    )
    return " ".join(parts)


def _plan_text(protocol: Protocol, plan: AnalysisPlan) -> str:
    asked = {f.key: f.label for f in protocol.findings} | {r.key: r.question for r in protocol.ratings}
    names = {arm.key: direction_name(arm.name) for arm in protocol.arms}
    arms = [names.get(key, key) for key in plan.contrast]
    contrast = f"{arms[0]} against its originals" if len(arms) == 1 else " against ".join(arms)
    return (
        f"The primary analysis was locked with the protocol: “{asked.get(plan.finding, plan.finding)}”, {contrast}, "
        f"estimand {ESTIMANDS.get(plan.estimand, plan.estimand)}, {_TESTS.get(plan.test, plan.test)}, two-sided level "
        f"{plan.alpha:g}, corrected by Holm’s method over a family of "
        f"{counted(len(plan.family), 'hypothesis', 'hypotheses')}."
    )


def _looks(facts: StudyFacts) -> str:
    parts = []
    if interim := [share for share in facts.plan if share < 1]:
        shares = ", ".join(percent(share) for share in interim)
        parts.append(
            f"{counted(len(interim), 'interim look')} had been planned at {shares} of the readings, with "
            "O’Brien-Fleming "
            "spending (Lan and DeMets)."
        )
    if taken := [look for look in facts.looks if look.planned is not None]:
        parts.append(f"{counted(len(taken), 'planned look')} {'was' if len(taken) == 1 else 'were'} taken.")
    for look in facts.unplanned:
        parts.append(
            f"An unplanned look was taken on {look.when} at {percent(look.share)} of the readings: “{look.reason}”. "
            "All p "
            "values of this report are therefore exploratory."
        )
    if not facts.looks:
        parts.append("Nobody looked at the results before the study was closed.")
    return " ".join(parts)


def _locked(protocol: Protocol, facts: StudyFacts) -> str:
    parts = [f"The protocol was locked before the first reading (SHA-256 {facts.digest}, version {facts.version})."]
    parts += [f"Version {number}: {reason.rstrip('.')}." for number, reason in facts.amendments if number > 1]
    return " ".join(parts) if facts.digest else ""
