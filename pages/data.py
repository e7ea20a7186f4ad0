"""Data: what there is, bringing more in, and the look that some images wait for."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import counted, noun_for, spaced
from pages.parts import layout
from pages.parts.data_import import import_panel, phantom_panel
from pages.parts.who import actor, workspace
from services.dataset_views import SPLITS, Count, class_table, image_page, waiting_picture
from services.datasets import DatasetView, list_datasets
from services.explore import NothingToExplore, thumbnail
from services.importing import skipped_rows
from services.looks import approve_image, images_waiting, reject_image

PER_PAGE = 24


def data_page() -> None:
    datasets = list_datasets(workspace())
    waiting = images_waiting(workspace())
    layout.heading(
        "Data",
        "Radiographs by patient. Patients are pseudonyms under this workspace's key; names of people, files and "
        "folders are never stored. Splits never share a patient.",
    )
    views = ["Data sets", "Import", "Make phantoms"]
    look = f"Waiting for a look ({len(waiting)})"
    if waiting:
        views.append(look)
    start = "Data sets" if datasets else "Import"
    view = st.segmented_control(
        "View", views, default=start, key="data-view", label_visibility="collapsed", required=True
    )
    if view == "Import":
        import_panel()
    elif view == "Make phantoms":
        phantom_panel()
    elif view == look:
        looks_panel()
    elif not datasets:
        layout.empty("No data yet", "Import radiographs (PNG, JPEG, DICOM) or make phantoms whose truth is known.")
    else:
        dataset_panel(datasets)


def dataset_panel(datasets: list[DatasetView]) -> None:
    by_id = {dataset.id: dataset for dataset in reversed(datasets)}
    asked = st.query_params.get("dataset", "")
    ids = list(by_id)
    at = ids.index(int(asked)) if asked.isdigit() and int(asked) in by_id else 0
    chosen = st.selectbox("Data set", ids, index=at, format_func=lambda i: by_id[i].name, width=420)
    dataset = by_id[chosen]
    left, right = st.columns([2, 3], gap="large")
    with left:
        layout.figures(
            [
                (spaced(dataset.images), noun_for(dataset.images, "image")),
                (spaced(dataset.patients), noun_for(dataset.patients, "patient")),
            ]
        )
        counts_table(class_table(workspace(), dataset.id))
        st.caption("Images, and in brackets patients.")
        made(dataset)
        left_out(dataset)
    with right:
        gallery(dataset)


def counts_table(table: dict[str, dict[str, Count]]) -> None:
    splits = [split for split in SPLITS if any(split in counts for counts in table.values())]
    rows = []
    for label, counts in table.items():
        cells = [counts.get(split, Count()) for split in splits]
        rows.append((label, *(f"{spaced(c.images)} ({spaced(c.patients)})" for c in cells)))
    layout.table(["Class", *splits], rows, numbers=range(1, len(splits) + 1))


def made(dataset: DatasetView) -> None:
    phantom = dataset.meta.get("phantom")
    if phantom:
        couple = ", ".join(phantom.get("couple", {})) or "none"
        st.caption(
            f"Phantom version {phantom.get('version')}, {phantom.get('size')} px, seed {phantom.get('seed')}, "
            f"planted shortcuts: {couple}. The truth about every image is known."
        )
    for problem in dataset.meta.get("problems", []):
        st.warning(problem)


def left_out(dataset: DatasetView) -> None:
    skipped = skipped_rows(workspace(), dataset.id)
    if skipped:
        with st.expander(f"{counted(len(skipped), 'file')} left out of the import"):
            layout.table(["Row", "Reason"], [(str(row), reason) for row, reason in skipped], numbers=[0])
            st.caption("Row numbers of the import; file names are not stored.")


def gallery(dataset: DatasetView) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        splits = ["all", *(split for split in SPLITS if split in dataset.splits)]
        split = st.selectbox("Split", splits, key=f"gallery-split-{dataset.id}", width=100)
        labels = ["all", *sorted(dataset.labels)]
        label = st.selectbox("Class", labels, key=f"gallery-label-{dataset.id}", width=190)
        key = f"gallery-{dataset.id}-{split}-{label}"
        start = st.session_state.get(key, 0)
        images, total = image_page(
            workspace(),
            dataset.id,
            split="" if split == "all" else split,
            label="" if label == "all" else label,
            start=start,
            n=PER_PAGE,
        )
        if st.button("Previous", icon=":material/chevron_left:", disabled=start == 0):
            st.session_state[key] = max(0, start - PER_PAGE)
            st.rerun()
        if st.button("Next", icon=":material/chevron_right:", disabled=start + PER_PAGE >= total):
            st.session_state[key] = start + PER_PAGE
            st.rerun()
        layout.html(
            f'<div class="beside">{start + 1 if total else 0} to {start + len(images)} of {spaced(total)}</div>'
        )
    for begin in range(0, len(images), 6):
        for column, image in zip(st.columns(6, gap="small"), images[begin : begin + 6], strict=False):
            said = ", ".join(image.labels) or "no label"
            try:
                picture = thumbnail(workspace(), image.id)
                column.image(picture, caption=f"{said}  \n{image.split}", width="stretch", alt=f"{said}, {image.split}")
            except (NothingToExplore, FileNotFoundError):
                column.caption("File missing: import again.")


def looks_panel() -> None:
    waiting = images_waiting(workspace())
    st.write(
        "The header of these images says, or leaves open, that text is burned into the pixels. Nothing uses them "
        "before a person has looked. Approve an image only if it shows no name, number or date of a person."
    )
    if not waiting:
        layout.empty("Nothing waits", "Every image has been looked at.")
        return
    image = waiting[0]
    left, right = st.columns([3, 2], gap="large")
    try:
        picture = waiting_picture(workspace(), image.file_key)
    except FileNotFoundError:
        left.warning("The file of this image is missing. Reject it, then import it again.")
    else:
        left.image(picture, width="content", alt="Image that waits for a look")
    with right:
        layout.figures([(str(len(waiting)), "waiting"), (f"{image.width} × {image.height}", "pixels")])
        with st.container(horizontal=True):
            if st.button("Approve", type="primary", icon=":material/check:", shortcut="a"):
                decide(image.id, approve=True)
            if st.button("Reject and delete its pixels", icon=":material/delete:", shortcut="x"):
                decide(image.id, approve=False)
        st.caption("Keys: A approves, X rejects. Both are logged.")


def decide(image_id: int, approve: bool) -> None:
    try:
        (approve_image if approve else reject_image)(workspace(), image_id, actor())
    except ValueError as error:
        st.warning(str(error))
        return
    st.rerun()


data_page()
