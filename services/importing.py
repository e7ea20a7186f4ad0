"""Bringing images into the workspace: all of an import or, after an error or a kill, nothing of it.

Files are stored first, under random names, then every row is written in one short transaction: nobody who reads
in the meantime waits for the database. The random names are noted in a journal as they are given, so that the next
start can delete what a killed import stored.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.images.encode import encode_png
from cfcore.images.errors import ImportRefused, Reason, UnreadableImage
from cfcore.images.image import Image as Radiograph
from cfcore.images.image import Pixels
from cfcore.images.layouts import Item, Layout, plan_import
from cfcore.images.pseudonyms import pseudonym
from cfcore.images.reading import read_image
from cfcore.wording import counted
from db.events import record
from db.models import Dataset, Image, SkippedRow
from services.locks import claimed
from services.workspace import Workspace

_ATTEMPTS = 5
# The share of an import that is over when its files have been listed and their headers read.
_PLANNED = 0.2

log = logging.getLogger(__name__)

Progress = Callable[[float, str], None]
Row = dict[str, Any]


@dataclass(frozen=True)
class ImportResult:
    """What an import brought in.

    skipped: (row number, reason, name) of files that were left out. The name is for the importer's eyes only; the
        workspace keeps row number and reason.
    waiting: images that a person must look at before they can be used.
    problems: sentences for the importer, free of names.
    """

    dataset_id: int
    imported: int
    skipped: list[tuple[int, str, str]] = field(default_factory=list)
    waiting: int = 0
    problems: list[str] = field(default_factory=list)


Written = Callable[[Session, ImportResult], None]


def nothing_more(session: Session, result: ImportResult) -> None:
    """Nothing else is written with an import."""


class NothingImported(ImportRefused):
    """Not one file could be read; `skipped` as in `ImportResult`."""

    def __init__(self, skipped: list[tuple[int, str, str]], reasons: Counter[Reason]) -> None:
        listed = " ".join(f"{n} x: {reason.text}" for reason, n in reasons.most_common())
        which = "The only file cannot" if len(skipped) == 1 else f"None of the {len(skipped)} files can"
        super().__init__(f"{which} be imported. {listed}")
        self.skipped = skipped


def import_images(
    workspace: Workspace,
    path: Path,
    name: str,
    layout: Layout = "auto",
    progress: Progress = lambda share, message: None,
    *,
    seed: int = 0,
    patient_pattern: str | None = None,
    resplit: bool = False,
    only: str | Sequence[str] | None = None,
    actor: str = "system",
    written: Written = nothing_more,
) -> ImportResult:
    """Imports a file, folder or table as a new data set; bad files are skipped and listed, the rest is imported.

    Args:
        path, layout, seed, patient_pattern, resplit, only: see `cfcore.images.layouts.plan_import`.
        name: of the data set; not taken yet.
        progress: called with the share done and a message, while files are looked at and while they are read; what it
            raises ends the import and undoes it.
        actor: who imports, for the event log.
        written: called in the transaction that writes the data set.

    Raises:
        ImportRefused: nothing there, a split shared by patients, a taken name, not one readable file (then
            `NothingImported`).
    """
    name = free_name(workspace, name)
    plan = plan_import(
        Path(path),
        layout,
        seed=seed,
        patient_pattern=patient_pattern,
        resplit=resplit,
        only=only,
        progress=lambda share, message: progress(_PLANNED * share, message),
    )
    rows: list[Row] = []
    skipped: list[tuple[Item, Reason]] = []
    with _all_or_nothing(workspace) as store:
        for i, item in enumerate(plan.items):
            _tell(progress, i, len(plan.items), "files", start=_PLANNED)
            try:
                rows.append(_imported(workspace, item, store))
            except UnreadableImage as error:
                skipped.append((item, error.reason))
        named = [(item.row_number, reason.text, item.name) for item, reason in skipped]
        if not rows:
            raise NothingImported(named, Counter(reason for _, reason in skipped))
        problems = [*plan.problems, *_duplicates(rows)]
        meta = {"layout": plan.layout, "seed": seed, "resplit": resplit, "problems": problems}
        waiting = sum(row["look"] == "waiting" for row in rows)
        found = ImportResult(0, len(rows), named, waiting, problems)
        dataset = {"name": name, "kind": "imported", "meta": meta}
        result = _write(workspace, dataset, rows, skipped, actor, found, written)
    for item, reason in skipped:
        log.warning("data set %d: row %d skipped: %s", result.dataset_id, item.row_number, reason.value)
    return result


def import_phantom(
    workspace: Workspace,
    name: str,
    n: int,
    size: int,
    seed: int,
    pathology: str,
    couple: Mapping[str, tuple[float, float]] | None = None,
    progress: Progress = lambda share, message: None,
    actor: str = "system",
    written: Written = nothing_more,
) -> ImportResult:
    """Makes `n` phantom radiographs of `size` px (8 bit) as a new data set, with the truth about each in its `meta`.

    Labels are the pathology or "No ..."; splits 70 / 10 / 20 % by patient. `meta["phantom"]` has the version of the
    phantom, the seed of the patient and all factors: enough to draw it again, at any size, and its counterfactuals.

    Raises:
        ImportRefused: the name is taken.
        ValueError: as `cfcore.images.phantom.build_dataset` and `render`.
    """
    from cfcore.images.phantom import VERSION, build_dataset, render

    name = free_name(workspace, name)
    cases = build_dataset(n, seed, pathology, couple)

    def pictures() -> Iterator[tuple[Pixels, Row]]:
        for case in cases:
            pixels = np.rint(render(case.patient, size) * 255).astype(np.uint8)
            truth = {"version": VERSION, "seed": case.patient.seed, "factors": asdict(case.patient.factors)}
            labels = [pathology.capitalize() if case.label else f"No {pathology}"]
            meta = {"source": "phantom", "phantom": truth}
            yield pixels, Row(patient=f"phantom:{case.key}", split=case.split, labels=labels, view="PA", meta=meta)

    made = {
        "n": n,
        "size": size,
        "seed": seed,
        "pathology": pathology,
        "version": VERSION,
        "couple": {factor: list(pair) for factor, pair in (couple or {}).items()},
    }
    return write_made(workspace, name, "phantom", made, pictures(), n, progress, actor, written)


def write_made(
    workspace: Workspace,
    name: str,
    kind: str,
    made: Row,
    pictures: Iterable[tuple[Pixels, Row]],
    n: int,
    progress: Progress,
    actor: str,
    written: Written = nothing_more,
) -> ImportResult:
    """Stores `n` computed pictures as a new data set of a kind.

    Args:
        name: as `free_name` gave it.
        made: how the set was made; kept in its `meta` under `kind`.
        pictures: (h, w) uint8 pixels with patient (raw; a pseudonym is stored), split, labels, meta and, if any, view.
    """
    rows: list[Row] = []
    with _all_or_nothing(workspace) as store:
        for i, (pixels, row) in enumerate(pictures):
            _tell(progress, i, n, f"{kind}s")
            rows.append(
                {
                    "view": None,
                    **row,
                    "patient": pseudonym(workspace.key, row["patient"]),
                    "file_key": store(encode_png(pixels)),
                    "width": pixels.shape[1],
                    "height": pixels.shape[0],
                    "max_value": 255,
                    "sha256": pixel_hash(pixels),
                }
            )
        dataset = {"name": name, "kind": kind, "meta": {kind: made}}
        return _write(workspace, dataset, rows, [], actor, ImportResult(0, len(rows)), written)


def skipped_rows(workspace: Workspace, dataset_id: int) -> list[tuple[int, str]]:
    """(row number, reason) of the files that an import left out, as sentences, in order."""
    query = sa.select(SkippedRow).where(SkippedRow.dataset_id == dataset_id).order_by(SkippedRow.row_number)
    with workspace.session() as session:
        return [(row.row_number, Reason(row.reason).text) for row in session.scalars(query)]


def discard_cut_off(workspace: Workspace) -> None:
    """Removes the files that killed imports stored; those of imports that go on stay."""
    for journal in _journals(workspace).glob("*.keys"):
        with claimed(journal) as free:
            if free:
                _discard(workspace, journal.read_text("ascii").split())
                journal.unlink(missing_ok=True)


def pixel_hash(pixels: Pixels) -> str:
    """SHA-256 (64 hex digits) of the shape and the values of pixels: the same for every file that shows the same."""
    head = f"{pixels.shape[0]}x{pixels.shape[1]}x{pixels.dtype.itemsize}:".encode()
    return hashlib.sha256(head + pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()).hexdigest()


def _imported(workspace: Workspace, item: Item, store: Callable[[bytes], str]) -> Row:
    if item.path is None:
        raise UnreadableImage(item.reason or Reason.MISSING)
    image = read_image(item.path)
    centre, width = image.window or (None, None)
    return Row(
        file_key=store(encode_png(image.pixels)),
        patient=pseudonym(workspace.key, item.patient_key_raw),
        split=item.split,
        labels=list(item.labels),
        view=item.view or image.view,
        width=image.pixels.shape[1],
        height=image.pixels.shape[0],
        max_value=image.max_value,
        window_centre=centre,
        window_width=width,
        look="waiting" if image.burned_in in ("yes", "unknown") else "not needed",
        sha256=pixel_hash(image.pixels),
        meta=_technical(image),
    )


def _technical(image: Radiograph) -> dict[str, Any]:
    return {
        "source": image.source_kind,
        "burned_in": image.burned_in,
        "modality": image.modality,
        "spacing_mm": image.spacing,
        "lossy": image.lossy,
    }


def _tell(progress: Progress, i: int, n: int, what: str, *, start: float = 0.0) -> None:
    """Progress before every file, so that a cancel waits for no more than one. `start`: what was done before."""
    progress(start + (1 - start) * i / n, f"{i} of {n} {what}")


def free_name(workspace: Workspace, name: str) -> str:
    """`name` without blanks around it; ImportRefused where it is empty or taken."""
    name = name.strip()
    if not name:
        raise ImportRefused("Give the data set a name.")
    with workspace.session() as session:
        if session.scalar(sa.select(Dataset.id).where(Dataset.name == name)) is not None:
            raise ImportRefused(f"There is a data set called {name!r} already. Choose another name.")
    return name


def _write(
    workspace: Workspace,
    dataset: Row,
    rows: list[Row],
    skipped: list[tuple[Item, Reason]],
    actor: str,
    result: ImportResult,
    written: Written,
) -> ImportResult:
    """All rows of an import in one transaction; once more if the event log grew in the same moment. Gives back
    `result` with the id of the data set."""
    for attempt in range(_ATTEMPTS):
        try:
            with workspace.session() as session:
                added = Dataset(**dataset)
                session.add(added)
                session.flush()
                session.execute(sa.insert(Image), [{**row, "dataset_id": added.id} for row in rows])
                session.add_all(
                    SkippedRow(dataset_id=added.id, row_number=item.row_number, reason=reason.value)
                    for item, reason in skipped
                )
                counts = {"images": len(rows), "skipped": len(skipped)}
                record(session, actor, "data set added", f"data set {added.id}", **counts)
                done = replace(result, dataset_id=added.id)
                written(session, done)
            return done
        except sa.exc.IntegrityError:
            free_name(workspace, dataset["name"])
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _duplicates(rows: list[Row]) -> list[str]:
    """Same pixels under two patients: harmless inside a split, a leak across two."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["sha256"], set()).add(row["split"])
    leaks = sum(len(splits) > 1 for splits in found.values())
    if not leaks:
        return []
    return [
        f"{counted(leaks, 'image')}, the same pixel by pixel, {'occurs' if leaks == 1 else 'occur'} in more than one "
        "split under different patients. Check the patient ids."
    ]


@contextmanager
def _all_or_nothing(workspace: Workspace) -> Iterator[Callable[[bytes], str]]:
    """Gives a function that stores a PNG and returns its key; all are deleted again if the block fails."""
    journal = _journals(workspace) / f"{secrets.token_hex(16)}.keys"
    keys: list[str] = []
    with claimed(journal), journal.open("a", encoding="ascii") as notes:

        def store(png: bytes) -> str:
            key = workspace.put(png, ".png")
            keys.append(key)
            print(key, file=notes, flush=True)
            return key

        try:
            yield store
        except BaseException:
            _discard(workspace, keys)
            raise
        finally:
            journal.unlink(missing_ok=True)


def _discard(workspace: Workspace, keys: list[str]) -> None:
    """Deletes stored files that no image refers to."""
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        with workspace.session() as session:
            used = set(session.scalars(sa.select(Image.file_key).where(Image.file_key.in_(part))))
        for key in part:
            if key not in used:
                workspace.delete(key)


def _journals(workspace: Workspace) -> Path:
    folder = workspace.folder / "imports"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
