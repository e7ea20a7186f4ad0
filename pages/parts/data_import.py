"""Bringing images in: by upload, by a path on the server, or as phantoms. The worker does it; the page looks on."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cfcore.images.layouts import Layout
from cfcore.wording import counted
from pages.parts import layout
from pages.parts.run_state import ACTIVE, controls
from pages.parts.who import actor, workspace
from services.import_job import Request, latest_import, plain, start_import, start_phantoms, take_left_out
from services.runs import RunView, run_view
from services.uploads import MAX_UPLOAD_BYTES, quarantine, receive_upload

LAYOUTS: dict[Layout, str] = {
    "auto": "Find out",
    "folder": "Folders are classes",
    "csv": "A CSV table with labels and splits",
    "dicom": "DICOM files",
}
PATHOLOGIES = ("cardiomegaly", "effusion", "atelectasis")
SHORTCUT = {"pacemaker": (0.60, 0.05), "age": (0.60, 0.05)}
POLL_SECONDS = 1.0
# The import that this browser has asked for, and the names of its files that were left out.
FOLLOWED, NAMES = "import-followed", "import-left-out"
# Skipped files that are listed at once, and at most.
FEW, MOST = 5, 200


def import_panel() -> None:
    """Upload or server path; above it what the last import brought in and what it left out."""
    # Above the form: its button is far down, and a long list of uploads moves it out of sight.
    outcome = st.container()
    way = st.radio("From", ["This computer", "A path on the server"], horizontal=True, key="import-from")
    uploads: list[Any] = []
    path = ""
    if way == "This computer":
        uploads = st.file_uploader(
            "Files: PNG, JPEG, DICOM (also without extension), a CSV with its images, or one zip of a folder",
            accept_multiple_files=True,
            key="import-files",
        )
        st.caption(
            f"Up to {MAX_UPLOAD_BYTES // 10**6} MB. Larger sets: copy them to the server and import them by path. "
            "Uploads go to a quarantine folder that is emptied after the import."
        )
    else:
        path = st.text_input("Folder, table or file on the server", placeholder="/data/radiographs/labels.csv")
    name = st.text_input("Name of the data set", placeholder="Paediatric chest, 2024", width=420)
    with st.expander("Layout, patients and splits"):
        kind = st.selectbox("Layout", list(LAYOUTS), format_func=LAYOUTS.__getitem__, width=420)
        pattern = st.text_input(
            "Patient pattern (regular expression)",
            placeholder=r"person(\d+)_",
            help="Searched in each file's path; its first group tells one patient from another. It is never stored.",
            width=420,
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            seed = st.number_input("Seed of the split", 0, 2**31 - 1, 0, width=200)
            resplit = st.checkbox("Divide anew even if splits are given")
    ready = bool(name.strip()) and bool(uploads or path.strip())
    if st.button("Import", type="primary", disabled=not ready, help=None if ready else "Choose files and give a name"):
        given = path.strip() if way != "This computer" else None
        ask(uploads, name, Request(given, kind, int(seed), pattern or None, resplit), outcome)
    with outcome:
        import_outcome()


def ask(uploads: list[Any], name: str, request: Request, outcome: st.delta_generator.DeltaGenerator) -> None:
    """Receive the files and hand them to the worker; what cannot be taken is told in `outcome`."""
    try:
        with outcome, st.spinner("Receiving the files"), quarantine(workspace()) as upload:
            # No element is drawn in here: at the next one a click elsewhere would end this run of the page.
            for file in uploads if request.path is None else []:
                receive_upload(file, file.name, upload)
            follow(start_import(workspace(), upload, name, request, actor=actor()))
    except OSError as error:
        outcome.error(plain(error))
    except ValueError as error:
        outcome.error(str(error))


def follow(run_id: int) -> None:
    st.session_state[FOLLOWED] = run_id
    st.session_state.pop(NAMES, None)


def import_outcome() -> None:
    """How far the newest import of this person is; what it brought in, to the browser that asked and to the one that
    looks first after its end."""
    run = latest_import(workspace(), actor())
    if run is None:
        return
    if run.state in ACTIVE:
        st.fragment(following, run_every=POLL_SECONDS)(run.id)
        return
    if (names := take_left_out(workspace(), run)) is not None:
        follow(run.id)
        st.session_state[NAMES] = names
    if st.session_state.get(FOLLOWED) == run.id:
        show_result(run)


def following(run_id: int) -> None:
    """The progress of an import; the whole page once when it has ended."""
    run = run_view(workspace(), run_id)
    if run.state not in ACTIVE:
        st.session_state[FOLLOWED] = run.id
        st.rerun(scope="app")
    st.progress(run.progress, f"{run.name}: {run.message[:1].lower()}{run.message[1:]}")
    st.caption("In the background: you may leave this page.")
    controls(run, "import")


def show_result(run: RunView) -> None:
    """What an import brought in. The names of files that were left out live in this session only."""
    names: list[tuple[int, str, str]] = st.session_state.get(NAMES, [])
    if run.state == "cancelled":
        st.info(f"“{run.settings['name']}” was cancelled. Nothing of it was imported.")
    elif run.state == "failed":
        st.error(run.message)
    else:
        result = run.result
        what = (
            f"{counted(result['imported'], 'phantom')} made"
            if "phantom" in run.settings
            else (f"{counted(result['imported'], 'image')} imported")
        )
        st.success(f"{what} as “{run.settings['name']}”. See “Data sets”.")
        if result["waiting"]:
            wait = counted(result["waiting"], "image")
            st.info(f"Before anything uses {wait}, you must look: see “Waiting for a look”.")
        for problem in result["problems"]:
            st.warning(problem)
    if names:
        skipped_table(names)


def skipped_table(skipped: list[tuple[int, str, str]]) -> None:
    """The files that were left out by name and reason: a few at once, many on demand."""
    rows = [(str(row), file, reason) for row, reason, file in skipped]
    with st.expander(f"{counted(len(rows), 'file')} left out, and why", expanded=len(rows) <= FEW):
        layout.table(["Row", "File", "Reason"], rows[:MOST], numbers=[0])
        more = f" The first {MOST} of {len(rows)} are shown." if len(rows) > MOST else ""
        st.caption(f"Names are shown to you alone, now; stored are row number and reason.{more}")


def phantom_panel() -> None:
    """Procedural radiographs: factors dialled, truth known."""
    import_outcome()
    st.write(
        "Procedural chest radiographs that look like radiographs. Every factor is known, so it is known which finding "
        "a counterfactual really brought in. The same seed gives the same patients at every size."
    )
    with st.form("phantoms", border=False):
        with st.container(horizontal=True):
            pathology = st.selectbox("Pathology", PATHOLOGIES, width=220)
            n = st.number_input("Images", 10, 20_000, 300, 10, width=160)
            size = st.selectbox("Size in pixels", [64, 128, 256, 512, 1024], index=3, width=160)
            seed = st.number_input("Seed", 0, 2**31 - 1, 0, width=160)
        name = st.text_input("Name of the data set", f"Phantom {PATHOLOGIES[0]}", width=420)
        shortcut = st.checkbox("Plant a shortcut: pacemaker and age go with the pathology (60 % against 5 %)")
        asked = st.form_submit_button("Make phantoms", type="primary")
    if not asked:
        return
    couple = SHORTCUT if shortcut else None
    try:
        follow(
            start_phantoms(
                workspace(), name, n=int(n), size=int(size), seed=int(seed), pathology=pathology, couple=couple,
                actor=actor(),
            )
        )  # fmt: skip
    except ValueError as error:
        st.error(str(error))
        return
    st.rerun()
