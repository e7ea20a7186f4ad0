"""The elicitation round, for researchers: open it, invite readers, merge what they propose, make it the checklist."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.study.elicitation import group_labels
from cfcore.study.protocol import Finding
from db.events import record
from db.models import Account, ElicitationReader, ElicitationRound, Proposal, Study, now
from services.accounts import AccountError, create_reader
from services.elicitation_state import blinding_problem, delete_round, round_of
from services.invitations import new_password_link
from services.permissions import require
from services.studies import draft_of, findings_from, update_draft
from services.study_views import StudyRefused, protocol_of
from services.workspace import Workspace, sha256

MOST_PAIRS = 20
LONGEST_ASKED = 1000
DEFAULT_ASKED = (
    "You will read pairs of images and say which findings you see. Which findings should be asked? Main findings are "
    "what you would look for first, secondary ones may come with them."
)


@dataclass(frozen=True)
class ProposalView:
    """A finding in a reader's words. merged_into: key of the finding of the checklist that stands for it."""

    id: int
    reader: str
    label: str
    kind: str
    merged_into: str | None


@dataclass(frozen=True)
class PersonView:
    """A reader in the round. confirmed: has confirmed the checklist as it is now."""

    id: int
    label: str
    display_name: str
    login: str
    submitted_at: datetime | None
    confirmed: bool
    objection: str


@dataclass(frozen=True)
class RoundView:
    """A round as researchers see it. `state`: "proposing", "confirming" or "done"."""

    state: str
    asked: str
    n_pairs: int
    people: tuple[PersonView, ...]
    proposals: tuple[ProposalView, ...]
    checklist: tuple[Finding, ...]

    def proposers(self, key: str) -> tuple[str, ...]:
        """Labels of the readers whose proposals a finding stands for."""
        return tuple(dict.fromkeys(p.reader for p in self.proposals if p.merged_into == key))


def open_round(
    workspace: Workspace, study_id: int, *, actor: str, asked: str = DEFAULT_ASKED, n_pairs: int = 0
) -> None:
    """Begin the round of a draft: readers are asked `asked` and shown `n_pairs` of the study's pairs, without arm.

    Raises StudyRefused for a locked study, a second round, too few pairs, or words that break the blinding.
    """
    asked = asked.strip()
    if not 1 <= len(asked) <= LONGEST_ASKED:
        raise StudyRefused(f"Say what readers are asked, in 1 to {LONGEST_ASKED} characters.")
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = draft_of(session, study_id)
        if round_of(session, study_id) is not None:
            raise StudyRefused("This study has its round already: go on with it, or end it first.")
        if problem := blinding_problem(asked, protocol_of(study)):
            raise StudyRefused(problem)
        # Pairs of counted cases only: training and controls are not what the study is about.
        pairs = [pair.id for pair in study.pairs if pair.kind == "counterfactual"]
        if not 0 <= n_pairs <= min(MOST_PAIRS, len(pairs)):
            raise StudyRefused(
                f"{n_pairs} pairs to show, and the study has {len(pairs)}: use 0 (the question as such) to "
                f"{min(MOST_PAIRS, len(pairs))}."
            )
        drawn = np.random.default_rng([study.seed, 7]).permutation(len(pairs))[:n_pairs]
        session.add(ElicitationRound(study_id=study_id, asked=asked, pair_ids=[pairs[i] for i in drawn]))
        record(session, actor, "elicitation opened", f"study {study_id}", pairs=n_pairs)


def invite_to_round(workspace: Workspace, study_id: int, login: str, name: str, *, actor: str) -> str:
    """Ask a reader to propose findings; returns the path of the link to send.

    Raises StudyRefused without an open round or for a login that cannot be used.
    """
    try:
        account_id = create_reader(workspace, login, name, actor)
    except AccountError as error:
        raise StudyRefused(str(error)) from error
    with workspace.session() as session:
        require(session, actor, study_id, "readers")
        found = _open(session, study_id)
        if all(person.account_id != account_id for person in found.people):
            person = ElicitationReader(
                account_id=account_id, label=f"E{len(found.people) + 1}", token=secrets.token_hex(16)
            )
            found.people.append(person)
            record(session, actor, "elicitation invited", f"study {study_id}", reader=person.label)
        account = session.get_one(Account, account_id)
        ready = account.password_hash is not None or account.role != "reader"
    return "/read" if ready else new_password_link(workspace, account_id, actor)


def remove_from_round(workspace: Workspace, study_id: int, person_id: int, *, actor: str) -> None:
    """Take a reader out who does not answer; what he or she proposed goes as well, the event stays."""
    with workspace.session() as session:
        require(session, actor, study_id, "readers")
        found = _open(session, study_id)
        person = next((p for p in found.people if p.id == person_id), None)
        if person is None:
            raise StudyRefused("This reader is not in the round: reload the page.")
        record(session, actor, "elicitation reader removed", f"study {study_id}", reader=person.label)
        for proposal in person.proposals:
            session.delete(proposal)
        session.flush()
        session.delete(person)


def round_view(workspace: Workspace, study_id: int) -> RoundView | None:
    """The round of a study as it stands, or None."""
    with workspace.session() as session:
        found = round_of(session, study_id)
        if found is None:
            return None
        people = tuple(
            PersonView(
                p.id, p.label, p.account.display_name, p.account.login, p.submitted_at,
                bool(found.digest) and p.confirmed == found.digest, p.objection,
            )
            for p in found.people
        )  # fmt: skip
        proposals = tuple(
            ProposalView(q.id, p.label, q.label, q.kind, q.merged_into) for p in found.people for q in current(p)
        )
        checklist = tuple(Finding(**item) for item in found.checklist)
        return RoundView(found.state, found.asked, len(found.pair_ids), people, proposals, checklist)


def current(person: ElicitationReader) -> list[Proposal]:
    """A reader's proposals without those that were taken back."""
    return [proposal for proposal in person.proposals if proposal.withdrawn_at is None]


def suggested_merge(view: RoundView) -> list[tuple[Finding, tuple[int, ...]]]:
    """A first merge to work on: findings with the ids of the proposals that probably mean them, most proposed first.

    A group is named by its most frequent wording and is a main finding where at least half of its proposers say so.
    """
    proposals = view.proposals
    groups = group_labels([proposal.label for proposal in proposals])
    groups.sort(key=lambda group: -len({proposals[i].reader for i in group}))
    rows = []
    for group in groups:
        words = [proposals[i].label for i in group]
        main = sum(proposals[i].kind == "main" for i in group)
        rows.append(("", max(words, key=words.count), "main" if 2 * main >= len(group) else "secondary"))
    findings = findings_from(rows)
    return [(f, tuple(proposals[i].id for i in group)) for f, group in zip(findings, groups, strict=True)]


def merge(
    workspace: Workspace, study_id: int, findings: Sequence[Finding], into: Mapping[int, str | None], *, actor: str
) -> None:
    """Put the merged list before the readers. into: proposal id -> key of the finding that stands for it, or None.

    Every change of the list asks for new confirmations. Raises StudyRefused for an empty or ambiguous list, or a
    proposal that is neither mapped nor left out on purpose.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        found = _open(session, study_id)
        study = session.get_one(Study, study_id)
        known = {q.id: q for p in found.people for q in current(p)}
        if problem := _merge_problem(study, findings, into, known):
            raise StudyRefused(problem)
        found.checklist = [dataclasses.asdict(finding) for finding in findings]
        found.digest = sha256(json.dumps(found.checklist, sort_keys=True, ensure_ascii=False).encode())
        found.state = "confirming"
        for proposal_id, key in into.items():
            known[proposal_id].merged_into = key
        for person in found.people:
            if person.confirmed != found.digest:
                person.objection = ""
        record(session, actor, "elicitation merged", f"study {study_id}", digest=found.digest, findings=len(findings))


def _merge_problem(
    study: Study, findings: Sequence[Finding], into: Mapping[int, str | None], known: Mapping[int, Proposal]
) -> str:
    keys = [finding.key for finding in findings]
    labels = [finding.label.strip().casefold() for finding in findings]
    if not findings:
        return "The merged list is empty: keep at least one finding."
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        return f"Two findings share the label “{twice[0]}”: merge them into one."
    if len(set(keys)) < len(keys):
        return "Two findings share a key: merge them into one."
    if all(finding.kind != "main" for finding in findings):
        return "No finding is a main one: mark at least one as main."
    if lost := [q.label for i, q in known.items() if i not in into]:
        return f"“{lost[0]}” is neither mapped to a finding nor left out: decide what becomes of it."
    if strange := [i for i in into if i not in known]:
        return f"Proposal {strange[0]} has been taken back in the meantime: reload the page."
    if unknown := sorted({key for key in into.values() if key is not None and key not in keys}):
        return f"A proposal is mapped to “{unknown[0]}”, which is not on the list: add the finding or choose another."
    protocol = protocol_of(study)
    return next((p for f in findings if (p := blinding_problem(f.label, protocol))), "")


def finish_round(workspace: Workspace, study_id: int, *, actor: str) -> tuple[str, ...]:
    """Make the confirmed list the study's checklist. Returns what still keeps the draft from being locked.

    Raises StudyRefused while a reader has not confirmed the list as it is now.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        found = _open(session, study_id)
        if found.state != "confirming" or not found.people:
            raise StudyRefused("Merge the proposals first: readers confirm the merged list.")
        if waiting := [person.label for person in found.people if person.confirmed != found.digest]:
            raise StudyRefused(f"{', '.join(waiting)} has not confirmed the list yet: wait, or change it as asked.")
        checklist = tuple(Finding(**item) for item in found.checklist)
    problems = update_draft(workspace, study_id, actor=actor, findings=checklist)
    with workspace.session() as session:
        found = _open(session, study_id)
        found.state, found.done_at = "done", now()
        record(session, actor, "elicitation done", f"study {study_id}", digest=found.digest)
    # The open round was one of the problems.
    return tuple(problem for problem in problems if "elicitation" not in problem)


def drop_round(workspace: Workspace, study_id: int, *, actor: str) -> None:
    """End a draft's round without its result: proposals go, the events stay. Raises StudyRefused once it is locked."""
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        draft_of(session, study_id)
        delete_round(session, study_id)
        record(session, actor, "elicitation dropped", f"study {study_id}")


def _open(session: Session, study_id: int) -> ElicitationRound:
    found = session.scalar(sa.select(ElicitationRound).where(ElicitationRound.study_id == study_id))
    if found is None:
        raise StudyRefused("This study has no elicitation round: open it first.")
    if found.state == "done":
        raise StudyRefused("The elicitation round is done: its list is the study's checklist.")
    draft_of(session, study_id)
    return found
