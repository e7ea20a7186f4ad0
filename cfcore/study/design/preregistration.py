"""The pre-registration document: everything that a locked version fixes, as Markdown or as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from cfcore.study.analysis_plan import ESTIMANDS, TESTS, AnalysisPlan
from cfcore.study.design.balance import Balance
from cfcore.study.design.gate import FlowBox
from cfcore.study.protocol import Protocol
from cfcore.wording import counted, direction_name


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of plain texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Text | Points | Table
Section = tuple[str, tuple[Block, ...]]


@dataclass(frozen=True)
class Locked:
    """What a version's document tells beside its protocol. amendments: (number, date, reason) of versions 2 and up;
    manifest: what the digest covers beside the protocol; classes: target class of every arm's key, where known."""

    version: int
    digest: str
    date: str
    manifest: Mapping[str, Any]
    amendments: tuple[tuple[int, str, str], ...]
    flow: tuple[FlowBox, ...]
    balance: Balance
    exposure: str


def preregistration(protocol: Protocol, locked: Locked) -> list[Section]:
    """The document's sections in order: question, hypotheses, images, arms, design, questions, analysis, hashes."""
    return [
        ("Study", _study(protocol, locked)),
        ("Primary question and hypotheses", _hypotheses(protocol)),
        ("Images", _images(protocol, locked)),
        ("Arms", _arms(protocol)),
        ("Controls, repeats, training and guesses", (Points(tuple(_checks(protocol))),)),
        ("Readers and schedule", _schedule(protocol, locked)),
        ("What readers are asked", _questions(protocol)),
        ("Analysis", _analysis(protocol.analysis)),
        ("Hashes", _hashes(locked)),
    ]


def _study(protocol: Protocol, locked: Locked) -> tuple[Block, ...]:
    blocks: list[Block] = [
        Text(f"{protocol.title}. Readers see the title “{protocol.reader_title}”."),
        Text(f"Version {locked.version}, locked {locked.date}. SHA-256 {locked.digest}."),
    ]
    if protocol.notes.strip():
        blocks.append(Text(protocol.notes.strip()))
    if locked.amendments:
        blocks.append(
            Table(
                ("Version", "Date", "Reason for the amendment"), tuple((str(n), d, r) for n, d, r in locked.amendments)
            )
        )
    return tuple(blocks)


def _names(protocol: Protocol) -> dict[str, str]:
    names = {f.key: f.label for f in protocol.findings} | {r.key: r.question for r in protocol.ratings}
    return names | {arm.key: direction_name(arm.name) for arm in protocol.arms}


def _hypotheses(protocol: Protocol) -> tuple[Block, ...]:
    plan = protocol.analysis
    if plan is None:
        return (Text("None was stated: this study was locked by a release that did not ask."),)
    names = _names(protocol)
    rows = tuple(
        (
            "primary" if (member.finding, member.arms) == (plan.finding, plan.contrast) else "",
            names.get(member.finding, member.finding),
            " minus ".join(names.get(arm, arm) for arm in member.arms),
        )
        for member in plan.family
    )
    return (Text(plan.question), Table(("", "Finding or rating", "Arm"), rows))


def _images(protocol: Protocol, locked: Locked) -> tuple[Block, ...]:
    rule = locked.manifest.get("selection") or {}
    gate = protocol.gate
    told = [
        f"One image a patient of split {rule.get('split')}, predicted {rule.get('predicted')}, in the order of seed "
        f"{rule.get('seed')}."
    ]
    if gate.same_class:
        told.append("Gate: the classifier calls reconstruction and original alike.")
    if gate.ssim_floor:
        told.append(f"Gate: structural similarity of reconstruction and original of at least {gate.ssim_floor:g}.")
    if gate.flipped != "any":
        told.append(f"Gate: the class {'must' if gate.flipped == 'yes' else 'must not'} flip.")
    else:
        told.append("Pairs are shown whether the class flips or not.")
    flow = Table(
        ("Patients or pairs", "n", ""),
        tuple((box.text, str(box.n), "excluded" if box.aside else "") for box in locked.flow),
    )
    return (Points(tuple(told)), *((flow,) if locked.flow else ()))


def _arms(protocol: Protocol) -> tuple[Block, ...]:
    rows = tuple(
        (
            direction_name(arm.name),
            str(arm.run) if arm.run is not None else "the study's",
            f"{protocol.degree_of(arm):g}",
            protocol.rendering_of(arm),
            protocol.reference_of(arm),
            arm.target or "the run's",
        )
        for arm in protocol.arms
    )
    columns = ("Arm", "Run", "Degree", "Rendering", "Beside", "Target class")
    allocation = {
        "own patients": "Every arm has patients of its own.",
        "same patients": "The same patients are shown under every arm.",
        "rotated patients": "Groups of patients are rotated over the arms by a Latin square over groups of readers.",
    }[protocol.allocation]
    return (Table(columns, rows), Text(f"{counted(protocol.n_per_arm, 'pair')} an arm. {allocation}"))


def _checks(protocol: Protocol) -> list[str]:
    points = [f"{control.name}: {counted(control.n, 'pair')}." for control in protocol.controls]
    if repeats := protocol.repeats:
        wait = f", not before {repeats.washout_days} days" if repeats.washout_days else ""
        points.append(
            f"{counted(repeats.n, 'pair')} read again by each reader, "
            f"at least {repeats.min_distance} cases later{wait}, sides drawn anew. "
            "Only first readings enter prevalence and agreement between readers."
        )
    if training := protocol.training:
        points.append(
            f"{counted(training.n, 'training case')} with feedback before the first counted one, pass mark "
            f"{100 * training.pass_mark:.0f} %."
        )
    if protocol.single_share:
        points.append(
            f"Before the first pair readers see one image of {100 * protocol.single_share:.0f} % of the pairs alone "
            "and say which findings are present: absolute prevalence."
        )
    if protocol.guess_share:
        points.append(
            f"At the end readers guess the generated side of {100 * protocol.guess_share:.0f} % of the pairs."
        )
    return points or ["None."]


def _schedule(protocol: Protocol, locked: Locked) -> tuple[Block, ...]:
    design, table = protocol.design, locked.balance
    who = (
        f"Each case is read by {design.readers_per_case} of {counted(design.readers, 'reader')} (incomplete blocks)."
        if design.cases == "blocks"
        else f"{counted(design.readers, 'reader')} planned; each reads all cases of his or her schedule."
    )
    order = {
        "random": "Order at random for each reader.",
        "permuted blocks": "Order in permuted blocks: every arm once in each run of cases.",
        "Latin square": "Arms one after the other, their order balanced over readers by Williams' design.",
    }[design.order]
    rows = tuple(
        (
            row.arm,
            str(row.pairs),
            f"{row.sides[0]} / {row.sides[1]}",
            " / ".join(map(str, row.thirds)),
            f"{row.place:.2f}",
        )
        for row in table.arms
    )
    columns = ("Arm", "Pairs", "Original on A / B", "First / middle / last third", "Mean place (0 to 1)")
    blocks: list[Block] = [Text(f"{who} {order} Sides balanced within arm and reader. {locked.exposure}")]
    return (*blocks, Table(columns, rows)) if table.readers else tuple(blocks)


def _questions(protocol: Protocol) -> tuple[Block, ...]:
    findings = Table(("Finding", "Kind"), tuple((f.label, f.kind) for f in protocol.findings))
    asked = [f"{r.question} (1 {r.low}, {r.points} {r.high})" for r in protocol.ratings]
    asked += [f"{question.text} ({question.kind}, {question.ask})" for question in protocol.questions]
    return (
        Text("For every finding: A only, B only, both, neither, cannot assess."),
        findings,
        *((Points(tuple(asked)),) if asked else ()),
    )


def _analysis(plan: AnalysisPlan | None) -> tuple[Block, ...]:
    if plan is None:
        return (Text("No plan was stated."),)
    looks = (
        f"Planned looks at {', '.join(f'{100 * look:g} %' for look in plan.looks)} of the readings, spending after "
        "O'Brien and Fleming; any other look makes later p-values exploratory."
        if plan.looks
        else "One analysis, after the study is closed; any earlier look makes later p-values exploratory."
    )
    return (
        Points(
            (
                f"Estimand: {ESTIMANDS[plan.estimand]}.",
                f"Test: {TESTS[plan.test]}.",
                f"Two-sided level {plan.alpha:g}; Holm's method over "
                f"{counted(len(plan.family), 'hypothesis', 'hypotheses')}, everything else exploratory.",
                looks,
            )
        ),
    )


def _hashes(locked: Locked) -> tuple[Block, ...]:
    manifest = locked.manifest
    runs = tuple(
        (str(run["run"]), str(run["engine"]), str(run["seed"]), _short(run["inputs"]))
        for run in manifest.get("runs", ())
    )
    pairs = tuple((str(row[0]), str(row[1]), str(row[2]), str(row[4])) for row in manifest.get("pairs", ()))
    return (
        Text(
            "The digest is the SHA-256 of the protocol and of this list as canonical JSON (sorted keys, no spaces). "
            f"Schedule: SHA-256 {manifest.get('schedule', 'none')}."
        ),
        Table(("Run", "Engine", "Seed", "Images and weights"), runs),
        Table(("Pair", "Arm", "Kind", "SHA-256 of both pictures"), pairs),
    )


def _short(inputs: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value}" for name, value in sorted(inputs.items()) if isinstance(value, str | int | float)
    )


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """The document as Markdown (CommonMark with pipe tables)."""
    lines = [f"# {title}", ""]
    for heading, blocks in sections:
        lines += [f"## {heading}", ""]
        for block in blocks:
            if isinstance(block, Text):
                lines += [block.text, ""]
            elif isinstance(block, Points):
                lines += [*(f"- {item}" for item in block.items), ""]
            else:
                lines += [_pipes(block.columns), _pipes(["---"] * len(block.columns))]
                lines += [*(_pipes(row) for row in block.rows), ""]
    return "\n".join(lines)


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def to_html(title: str, sections: Sequence[Section], svg: str = "") -> str:
    """The document as one self-contained HTML page. svg: the flow diagram, trusted markup, put after the images."""
    body = [f"<h1>{escape(title)}</h1>"]
    for heading, blocks in sections:
        body.append(f"<h2>{escape(heading)}</h2>")
        for block in blocks:
            if isinstance(block, Text):
                body.append(f"<p>{escape(block.text)}</p>")
            elif isinstance(block, Points):
                body.append("<ul>" + "".join(f"<li>{escape(item)}</li>" for item in block.items) + "</ul>")
            else:
                head = "".join(f"<th>{escape(cell)}</th>" for cell in block.columns)
                rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in block.rows)
                body.append(f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>")
        if heading == "Images" and svg:
            body.append(f"<figure>{svg}</figure>")
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#17324d}"
        "table{border-collapse:collapse;margin:.5rem 0;font-size:13px}td,th{border:1px solid #c8d3de;"
        "padding:.2rem .5rem;text-align:left;overflow-wrap:anywhere}figure{margin:1rem 0}"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}</style></head><body>{''.join(body)}</body></html>"
    )
