"""Bringing images in: by upload, by a path on the server, or as phantoms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from cfcore.wording import counted
from pages.parts import layout
from pages.parts.who import actor, workspace
from services.importing import ImportResult, NothingImported, import_images, import_phantom
from services.uploads import MAX_UPLOAD_BYTES, UploadRefused, quarantine, receive_upload

LAYOUTS = {
    "auto": "Find out",
    "folder": "Folders are classes",
    "csv": "A CSV table with labels and splits",
    "dicom": "DICOM files",
}
PATHOLOGIES = ("cardiomegaly", "effusion", "atelectasis")
SHORTCUT = {"pacemaker": (0.60, 0.05), "age": (0.60, 0.05)}
RESULT = "import-result"
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
        settings = {"layout": kind, "seed": int(seed), "patient_pattern": pattern or None, "resplit": resplit}
        run_import(uploads, path, name, settings, outcome)
    with outcome:
        show_result()


def run_import(
    uploads: list[Any],
    path: str,
    name: str,
    settings: dict[str, Any],
    outcome: st.delta_generator.DeltaGenerator,
) -> None:
    """Import and keep the result for `show_result`; what went wrong is told in `outcome`."""
    st.session_state.pop(RESULT, None)
    bar = outcome.progress(0.0, "Starting")

    def progress(share: float, message: str) -> None:
        bar.progress(min(1.0, share), message)

    try:
        if uploads:
            with quarantine(workspace()) as upload:
                places = [receive_upload(file, file.name, upload) for file in uploads]
                source = places[0] if len(places) == 1 else upload.folder
                result = import_images(workspace(), source, name, progress=progress, actor=actor(), **settings)
        else:
            result = import_images(workspace(), Path(path.strip()), name, progress=progress, actor=actor(), **settings)
    except NothingImported as error:
        with outcome:
            st.error(str(error))
            skipped_table(error.skipped)
    except (UploadRefused, ValueError, OSError) as error:
        outcome.error(plain(error))
    else:
        st.session_state[RESULT] = (name.strip(), result)
    bar.empty()


def plain(error: Exception) -> str:
    """Our own messages as they are; the operating system's without the path in it."""
    if isinstance(error, OSError):
        return f"The server cannot read this: {error.strerror or 'input/output error'}. Check path and access rights."
    return str(error)


def show_result() -> None:
    """What the last import of this browser brought in. File names live in this session only."""
    if RESULT not in st.session_state:
        return
    name, result = st.session_state[RESULT]
    assert isinstance(result, ImportResult)
    st.success(f"{counted(result.imported, 'image')} imported as “{name}”. See them under “Data sets”.")
    if result.waiting:
        st.info(f"Before anything uses {counted(result.waiting, 'image')}, you must look: see “Waiting for a look”.")
    for problem in result.problems:
        st.warning(problem)
    if result.skipped:
        skipped_table(result.skipped)


def skipped_table(skipped: list[tuple[int, str, str]]) -> None:
    """The files that were left out by name and reason: a few at once, many on demand."""
    rows = [(str(row), file, reason) for row, reason, file in skipped]
    with st.expander(f"{counted(len(rows), 'file')} left out, and why", expanded=len(rows) <= FEW):
        layout.table(["Row", "File", "Reason"], rows[:MOST], numbers=[0])
        more = f" The first {MOST} of {len(rows)} are shown." if len(rows) > MOST else ""
        st.caption(f"Names are shown to you alone, now; stored are row number and reason.{more}")


def phantom_panel() -> None:
    """Procedural radiographs: factors dialled, truth known."""
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
    bar = st.progress(0.0, "Starting")

    def progress(share: float, message: str) -> None:
        bar.progress(min(1.0, share), message)

    try:
        result = import_phantom(
            workspace(),
            name,
            int(n),
            int(size),
            int(seed),
            pathology,
            SHORTCUT if shortcut else None,
            progress,
            actor=actor(),
        )
    except ValueError as error:
        bar.empty()
        st.error(str(error))
        return
    bar.empty()
    st.success(f"{counted(result.imported, 'phantom')} made as “{name.strip()}”. See “Data sets”.")
