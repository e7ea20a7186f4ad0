"""What an import would bring in: which files, whose, with which labels, in which split. Nothing is stored here."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from cfcore.images.dicom import read_keys
from cfcore.images.errors import ImportRefused, Reason, UnreadableImage
from cfcore.images.image import known_view
from cfcore.images.splits import known_split, patients_in_two_splits, split_patients, strata_of, take_validation
from cfcore.images.tables import FileFinder, Table, find_table, read_table, walk_files
from cfcore.images.vocabulary import is_class_name
from cfcore.wording import counted

Layout = Literal["auto", "folder", "csv", "dicom"]
Progress = Callable[[float, str], None]

MAX_LABELS = 50
MAX_LABEL_LENGTH = 64
MAX_PATIENT_FOLDER = 20


@dataclass(frozen=True)
class Item:
    """One file to import.

    path: the file, or None where the table's path could not be followed (then `reason` says why).
    row_number: the line of the table as a spreadsheet counts (the header is 1), else the place in the sorted
        list of files, from 1. It stands for the file wherever its name may not appear.
    name: what the importer calls the file; for the importer's eyes only.
    patient_key_raw: what tells this patient from others. Never stored: see `pseudonym`.
    labels, split, view: as found; split is 'train', 'val' or 'test'.
    reason: why the file cannot be imported, if that is known already.
    """

    path: Path | None
    row_number: int
    name: str
    patient_key_raw: str
    labels: tuple[str, ...]
    split: str
    view: str | None
    reason: Reason | None = None


@dataclass(frozen=True)
class ImportPlan:
    """`items` in order of row number; `problems` are sentences for the importer, free of names."""

    items: list[Item]
    layout: Literal["folder", "csv", "dicom"]
    problems: list[str]

    @property
    def labels(self) -> Counter[str]:
        """How many items carry each label."""
        return Counter(label for item in self.items for label in item.labels)


def plan_import(
    path: Path,
    layout: Layout = "auto",
    *,
    seed: int = 0,
    patient_pattern: str | None = None,
    resplit: bool = False,
    only: str | Sequence[str] | None = None,
    progress: Progress = lambda share, message: None,
) -> ImportPlan:
    """Lists what is to be imported from a file or folder.

    csv: a table of paths, or a folder with one. Columns are recognised by their names; a split column is used if no
        patient is in two of its splits.
    folder: sub-folders are classes; train, val and test folders above or below them are splits.
    dicom: files by content; patients from the headers, no labels (folder names in an archive are people).
    auto: csv if there is a table that lists images, dicom if most files are; sub-folders are taken for classes
        only where their names are words for findings ("NORMAL", "PNEUMONIA", "0"): a folder may be called after a
        patient, and a label is stored.

    Patients come from the table, else from DICOM headers (patient id, else study), else from `patient_pattern`,
    else from small sub-folders; a file of which nothing is known is a patient of its own, which `problems` says.
    Where no splits are given, patients are divided 70 / 10 / 20 % under `seed`.

    Args:
        patient_pattern: regular expression searched in the relative path of files; its first group (or the whole
            match) is the patient.
        resplit: divide anew, even if splits are given.
        only: take the files in folders of this name (or of one of these names) alone, so that a table over several
            sources gives a data set of one (a mixture would let the source give the label away).

    Raises:
        ImportRefused: nothing there, no usable table, a split shared by patients, too many labels.
    """
    if layout not in get_args(Layout):
        raise ImportRefused(f"Unknown layout {layout!r}. Choose one of: {', '.join(get_args(Layout))}.")
    pattern = _compiled(patient_pattern)
    if not path.exists():
        raise ImportRefused("There is nothing at this path. Check it for typing errors.")
    table_path = _table_path(path, layout)
    if table_path is not None:
        items, problems = _table_items(read_table(table_path), table_path.parent, pattern, progress)
        found: Literal["folder", "csv", "dicom"] = "csv"
    else:
        items, problems, found = _folder_items(path, layout, pattern, progress)
    names = [only] if isinstance(only, str) else list(only or ())
    if names:
        items = [item for item in items if item.path is not None and not set(names).isdisjoint(item.path.parent.parts)]
    missing = [n for n in names if not any(item.path is not None and n in item.path.parent.parts for item in items)]
    if missing or not items:
        where = f"in a folder called {missing[0]!r}" if missing else "at this path"
        raise ImportRefused(f"No file to import was found {where}.")
    _check_labels(items)
    own = sum(item.patient_key_raw.startswith("file:") for item in items)
    if own:
        problems.append(
            f"{own} of {counted(len(items), 'file')} {'does' if own == 1 else 'do'} not tell whose "
            f"{'it is' if own == 1 else 'they are'}; each counts as a patient of its own, so images of one person may "
            "stand in training and test. Give a table with patient_id, or a patient pattern."
        )
    return ImportPlan(_with_splits(items, seed, resplit, problems), found, problems)


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise ImportRefused(f"The patient pattern is no regular expression: {error}.") from None


def _table_path(path: Path, layout: Layout) -> Path | None:
    if layout not in ("auto", "csv"):
        return None
    if path.is_file():
        if path.suffix.lower() in (".csv", ".tsv") or layout == "csv":
            return path
        return None
    table = find_table(path)
    if table is None and layout == "csv":
        raise ImportRefused("No CSV that lists images was found in this folder. Give the path of the CSV.")
    return table


def _table_items(
    table: Table, root: Path, pattern: re.Pattern[str] | None, progress: Progress
) -> tuple[list[Item], list[str]]:
    finder, seen, items = FileFinder(root), set[Path](), []
    for number, row in enumerate(table.rows, start=2):
        _tell(progress, number - 2, len(table.rows))
        name = table.text(row, "path")
        path, reason = None, Reason.MISSING
        try:
            path = finder.find(name) if name else None
        except (PermissionError, ValueError):
            reason = Reason.OUTSIDE
        if path in seen:
            path, reason = None, Reason.DUPLICATE
        patient = table.text(row, "patient")
        keys = _keys(path, finder.root, pattern) if path and not patient else (f"file:{name}", None)
        items.append(
            Item(
                path=path,
                row_number=number,
                name=name,
                patient_key_raw=patient or keys[0],
                labels=table.labels(row),
                split=known_split(table.text(row, "split")) or "",
                view=known_view(table.text(row, "view")) or keys[1],
                reason=None if path else reason,
            )
        )
        if path:
            seen.add(path)
    problems = []
    if "labels" not in table.roles and not table.one_hot:
        problems.append("The table has no column of labels; the images are imported without.")
    return items, problems


def _folder_items(
    path: Path, layout: Layout, pattern: re.Pattern[str] | None, progress: Progress
) -> tuple[list[Item], list[str], Literal["folder", "csv", "dicom"]]:
    root = path if path.is_dir() else path.parent
    files = _listed(root, progress) if path.is_dir() else [path]
    root = _without_wrapping(root, files)
    relative = [f.relative_to(root).parts[:-1] for f in files]
    names = {label for label in (_class_and_split(parts)[0] for parts in relative) if label}
    classes = layout == "folder" or (layout == "auto" and bool(names) and all(is_class_name(n) for n in names))
    problems = []
    if layout == "auto" and names and not classes:
        problems.append(
            f"{counted(len(names), 'sub-folder')} not taken as labels, since names like these do not read as classes "
            "and may be those of patients. If they are classes, import with the layout 'folder'."
        )
    counts = Counter(parts[:n] for parts in relative for n in range(1, len(parts) + 1))
    items, dicoms = [], 0
    for number, (file, parts) in enumerate(zip(files, relative, strict=True), start=1):
        _tell(progress, number - 1, len(files))
        label, split = _class_and_split(parts) if classes else (None, None)
        above = tuple(p for p in (label,) if p)
        key, view = _keys(file, root, pattern)
        dicoms += key.startswith("study:") or not key.startswith(("file:", "pattern:"))
        if key.startswith("file:"):
            key = _patient_folder(parts, above, counts, len(files)) or key
        items.append(Item(file, number, file.relative_to(root).as_posix(), key, above, split or "", view))
    if classes and any(item.split for item in items) and all(i.patient_key_raw.startswith("file:") for i in items):
        problems.append("Splits are those of the folders; whether they share patients cannot be checked.")
    return items, problems, ("dicom" if layout == "dicom" or (not classes and 2 * dicoms > len(items)) else "folder")


def _listed(root: Path, progress: Progress) -> list[Path]:
    """All files below a folder but tables."""
    files: list[Path] = []
    for file in walk_files(root):
        progress(0.0, f"{counted(len(files), 'file')} found")
        if file.suffix.lower() not in (".csv", ".tsv"):
            files.append(file)
    return files


def _tell(progress: Progress, i: int, n: int) -> None:
    progress(i / n, f"looked at {i} of {n} files")


def _without_wrapping(root: Path, files: list[Path]) -> Path:
    """Steps into a folder that holds nothing but one folder, as archives do, unless that is a class or split."""
    while True:
        firsts = {f.relative_to(root).parts for f in files}
        heads = {parts[0] for parts in firsts}
        if len(heads) != 1 or any(len(parts) < 3 for parts in firsts):
            return root
        head = heads.pop()
        if is_class_name(head) or known_split(head):
            return root
        root = root / head


def _class_and_split(parts: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Class and split that the folders above a file name: the split in either of the first two places."""
    split = next((known_split(p) for p in parts[:2] if known_split(p)), None)
    rest = [p for i, p in enumerate(parts) if not (i < 2 and known_split(p))]
    return (rest[0] if rest else None), split


def _patient_folder(
    parts: tuple[str, ...], above: tuple[str, ...], counts: Counter[tuple[str, ...]], total: int
) -> str | None:
    """The highest folder below classes and splits with at most `MAX_PATIENT_FOLDER` files: taken for one patient.

    A folder that holds everything tells nobody apart.
    """
    for n in range(1, len(parts) + 1):
        if parts[n - 1] in above or known_split(parts[n - 1]):
            continue
        if counts[parts[:n]] <= MAX_PATIENT_FOLDER and counts[parts[:n]] < total:
            return f"folder:{'/'.join(parts[:n])}"
    return None


def _keys(file: Path, root: Path, pattern: re.Pattern[str] | None) -> tuple[str, str | None]:
    """Patient key and view of a file, from its DICOM header or its path."""
    name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    try:
        keys = read_keys(file)
    except UnreadableImage:
        keys = None
    view = keys.view if keys else None
    if keys and keys.patient_id:
        return keys.patient_id, view
    if pattern and (match := pattern.search(name)):
        return f"pattern:{match.group(1) if match.groups() else match.group()}", view
    if keys and keys.study_uid:
        return f"study:{keys.study_uid}", view
    return f"file:{name}", view


def _check_labels(items: list[Item]) -> None:
    labels = {label for item in items for label in item.labels}
    if len(labels) > MAX_LABELS:
        raise ImportRefused(
            f"{len(labels)} different labels: that reads as free text or as names, not as classes (at most "
            f"{MAX_LABELS}). Check the label column, or the layout."
        )
    if any(len(label) > MAX_LABEL_LENGTH for label in labels):
        raise ImportRefused(f"A label is longer than {MAX_LABEL_LENGTH} characters: that reads as free text.")


def _with_splits(items: list[Item], seed: int, resplit: bool, problems: list[str]) -> list[Item]:
    """Items with a split each: the given one, else by patient."""
    patients = [item.patient_key_raw for item in items]
    given: dict[str, str] = {}
    if not resplit:
        shared = patients_in_two_splits(patients, [item.split or None for item in items])
        if shared:
            raise ImportRefused(
                f"{counted(shared, 'patient')} with images in more than one of the given splits, so a test is none. "
                "Correct the split column, or import with 'resplit' to divide by patient anew."
            )
        given = {item.patient_key_raw: item.split for item in items if item.split}
    rest = [i for i in items if i.patient_key_raw not in given]
    if given and rest:
        problems.append(f"{counted(len(rest), 'image')} without a split divided by patient.")
    given |= split_patients(_strata(rest), seed)
    if {"train", "test"} <= set(given.values()) and "val" not in given.values():
        taken = take_validation(_strata([i for i in items if given[i.patient_key_raw] == "train"]), seed)
        if taken:
            problems.append(f"No validation split was given; {len(taken)} of the training patients were taken for it.")
        given |= dict.fromkeys(taken, "val")
    return [replace(item, split=given[item.patient_key_raw]) for item in items]


def _strata(items: list[Item]) -> dict[str, str]:
    return strata_of([i.patient_key_raw for i in items], [i.labels for i in items])
