"""A locked study: its digest and whether it holds, versions and amendments, the flow of patients, the document."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfcore.study.design.gate import flow_text
from pages.parts import layout
from pages.parts.study_plan import plan_section
from pages.parts.study_schedule import schedule_section
from pages.parts.who import actor, day, workspace
from services.log import actor_name
from services.studies import Finding, StudyRefused, StudyView, amend_study, findings_from
from services.study_design.documents import exclusions, flow_diagram, preregistration_document
from services.study_design.locking import VersionView, integrity, versions


def locked_study(view: StudyView) -> None:
    """What was locked, whether it is still that, and what may be added with a reason."""
    found = integrity(workspace(), view.id, files=False)
    if found.changes:
        told = "".join(f"<li>{layout.escape(change)}</li>" for change in found.changes)
        st.error("This study is not what was locked: it was changed outside of the program. The report says so.")
        layout.html(f"<ul class=problems>{told}</ul>")
    for note in found.notes:
        st.warning(note)
    layout.html(
        f"Locked {layout.escape(day(view.locked_at))}, version {view.version}. SHA-256 over questions, arms, schedule, "
        f"rule, weights and the pixels of every pair:<br>"
        f'<span class="digest">{layout.escape(view.digest or "")}</span>'
    )
    if st.button("Check the digest now", icon=":material/verified_user:"):
        with st.spinner("Reading every picture again"):
            whole = integrity(workspace(), view.id)
        if whole.intact:
            st.success("Protocol, schedule, pairs and answers are exactly those that were locked.")
        else:
            st.error("The digest does not match. " + " ".join(whole.changes))
    stored = versions(workspace(), view.id)
    if stored:
        documents(view)
    if len(stored) > 1:
        version_table(stored)
    plan_section(view)
    flow_section(view)
    schedule_section(view)
    if view.state == "locked" and stored:
        amendment(view)


def documents(view: StudyView) -> None:
    markdown, html = preregistration_document(workspace(), view.id)
    name = f"preregistration-study-{view.id}-version-{view.version}"
    with st.container(horizontal=True):
        st.download_button("Pre-registration, HTML", html, f"{name}.html", "text/html", icon=":material/download:")
        st.download_button("Pre-registration, Markdown", markdown, f"{name}.md", "text/markdown")


def version_table(stored: tuple[VersionView, ...]) -> None:
    rows = [
        (
            str(v.number),
            day(v.locked_at),
            actor_name(workspace(), v.author),
            v.reason or "first lock",
            layout.short_digest(v.digest),
        )
        for v in stored
    ]
    layout.table(["Version", "Locked", "By", "Reason", "SHA-256"], rows)


def flow_section(view: StudyView) -> None:
    """The flow diagram, folded, and what the gate kept back."""
    if not view.flow:
        return
    gone = exclusions(workspace(), view.id)
    title = f"Flow of patients and pairs{f', {len(gone)} kept back by the gate' if gone else ''}"
    with st.expander(title, icon=":material/account_tree:"):
        # As an image: Streamlit takes vector graphics out of a page's own markup.
        st.image(flow_diagram(workspace(), view.id), width=646, alt=flow_text(view.flow))
        shown = [row for row in gone if row.original_key][:12]
        if shown:
            st.caption("Kept back, the first of them: original, reconstruction.")
        for row in shown:
            with st.container(horizontal=True, vertical_alignment="center"):
                for key in (row.original_key, row.reconstruction_key):
                    st.image(workspace().get(key), width=120)
                st.caption(
                    f"{row.reason}; probability of the target class {layout.percent(row.p_source)} in the "
                    f"original, {layout.percent(row.p_reconstruction)} in the reconstruction; SSIM {row.ssim:.2f}"
                )


def amendment(view: StudyView) -> None:
    """A new version with a reason; pictures and schedules that exist stay as they are."""
    with st.expander("Amend the study", icon=":material/edit_note:"):
        st.caption(
            "An amendment is a new version with its reason. Findings and readers may be added, words changed; "
            "pictures, arms and schedules stay. Answers keep the version under which they were "
            "given. For more, copy the study."
        )
        protocol = view.protocol
        reason = st.text_area("Reason, for the report", key=f"amend-reason-{view.id}")
        reader_title = st.text_input("Neutral title", protocol.reader_title, key=f"amend-title-{view.id}")
        notes = st.text_area("Notes", protocol.notes, key=f"amend-notes-{view.id}")
        added = st.text_area(
            "Findings to add, one a line (as secondary ones)", key=f"amend-findings-{view.id}", height=80
        )
        readers = protocol.design.readers
        if protocol.design.cases == "all":
            readers = st.number_input(
                "Planned readers", readers, max(100, readers), readers, key=f"amend-readers-{view.id}"
            )
        if not st.button("Lock as a new version", icon=":material/lock:", key=f"amend-{view.id}"):
            return
        changes = {
            "reader_title": reader_title,
            "notes": notes,
            "findings": (*protocol.findings, *_new_findings(view, added)),
            "design": replace(protocol.design, readers=int(readers)),
        }
        try:
            number = amend_study(workspace(), view.id, actor=actor(), reason=reason, **changes)
        except StudyRefused as error:
            st.error(str(error))
            return
        st.toast(f"Version {number} is locked.", icon=":material/lock:")
        st.rerun()


def _new_findings(view: StudyView, text: str) -> tuple[Finding, ...]:
    old = [(f.key, f.label, f.kind) for f in view.protocol.findings]
    new = [("", line.strip(), "secondary") for line in text.splitlines() if line.strip()]
    return findings_from([*old, *new])[len(old) :]
