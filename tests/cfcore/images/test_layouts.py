"""Plans: who is whose, what is labelled how, and splits that never share a patient."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.images.encode import encode_png
from cfcore.images.errors import ImportRefused, Reason
from cfcore.images.layouts import Item, plan_import
from cfcore.images.splits import SPLITS, patients_in_two_splits, split_patients, strata_of

PNG = encode_png(np.zeros((2, 2), np.uint8))


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG)


def splits_by_patient(items: list[Item]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for item in items:
        found.setdefault(item.patient_key_raw, set()).add(item.split)
    return found


@given(
    st.dictionaries(st.text(min_size=1), st.sampled_from(["a", "b", "c"]), min_size=1, max_size=400),
    st.integers(0, 5),
)
def test_shares_hold_in_every_stratum(strata: dict[str, str], seed: int) -> None:
    found = split_patients(strata, seed)
    assert found.keys() == strata.keys()
    assert found == split_patients(dict(reversed(strata.items())), seed)
    for stratum in {*strata.values(), None}:
        members = [found[p] for p in strata if stratum in (None, strata[p])]
        for split, share in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
            assert abs(members.count(split) - share * len(members)) <= 2


def test_seeds_give_other_divisions() -> None:
    strata = {str(i): "a" for i in range(50)}
    assert split_patients(strata, 1) != split_patients(strata, 2)
    assert split_patients(strata, 1) == split_patients(strata, 1)


def test_rare_label_sets_are_pooled() -> None:
    patients = [str(i) for i in range(40)]
    labels = [("common",) if i < 30 else (f"rare{i}",) for i in range(40)]
    strata = strata_of(patients, labels)
    assert len(set(strata.values())) == 2
    assert strata_of(["p", "p"], [("b",), ("a",)])["p"] == "\uffff"


def test_the_shared_table_as_it_stands(data_folder: Path) -> None:
    plan = plan_import(data_folder / "cxr" / "labels.csv")
    assert (plan.layout, len(plan.items), plan.problems) == ("csv", 7264, [])
    assert all(item.path and item.path.is_file() for item in plan.items)
    assert Counter(item.split for item in plan.items) == {"train": 5557, "val": 1164, "test": 543}
    assert plan.labels["Pneumonia"] == 4394
    assert plan.items[0].row_number == 2
    assert plan.items[0].labels == ("No Finding",)
    assert plan.items[0].view == "PA"
    assert all(len(found) == 1 for found in splits_by_patient(plan.items).values())
    assert plan_import(data_folder / "cxr").items == plan.items


def test_class_folders_with_a_pattern_for_patients(data_folder: Path) -> None:
    plan = plan_import(data_folder / "cxr" / "ucsd224", patient_pattern=r"(person\d+|IM-\d+)_?")
    assert plan.layout == "folder"
    assert set(plan.labels) == {"NORMAL", "PNEUMONIA"}
    assert all(len(found) == 1 for found in splits_by_patient(plan.items).values())
    shares = Counter(item.split for item in plan.items)
    assert 0.67 < shares["train"] / len(plan.items) < 0.73
    for split in SPLITS:
        part = [item for item in plan.items if item.split == split]
        assert 0.68 < sum(item.labels == ("PNEUMONIA",) for item in part) / len(part) < 0.78


def test_folders_are_classes_and_splits(tmp_path: Path) -> None:
    put(tmp_path, *(f"chest/{s}/{c}/{i}.png" for s in ("train", "test") for c in ("NORMAL", "covid-19") for i in "ab"))
    put(tmp_path, "chest/train/NORMAL/.hidden.png", "__MACOSX/x.png")
    assert plan_import(tmp_path).labels == {}
    plan = plan_import(tmp_path, "folder")
    assert plan.layout == "folder"
    assert plan.labels == {"NORMAL": 4, "covid-19": 4}
    assert Counter(item.split for item in plan.items) == {"train": 4, "test": 4}
    assert [item.row_number for item in plan.items] == list(range(1, 9))
    assert any("cannot be checked" in problem for problem in plan.problems)
    assert any("own" in problem for problem in plan.problems)


def test_folders_named_after_people_are_no_labels(tmp_path: Path) -> None:
    put(tmp_path, "Doe_John/1.png", "Doe_John/2.png", "Roe_Jane/1.png", "Roe_Jane/2.png")
    plan = plan_import(tmp_path)
    assert plan.labels == {}
    assert len({item.patient_key_raw for item in plan.items}) == 2
    assert not any("Doe" in problem for problem in plan.problems)
    assert any("layout 'folder'" in problem for problem in plan.problems)


def test_small_folders_below_classes_are_patients(tmp_path: Path) -> None:
    put(
        tmp_path, *(f"normal/p{p}/s{i}/{i}.png" for p in range(5) for i in range(3)), "abnormal/1.png", "abnormal/2.png"
    )
    plan = plan_import(tmp_path)
    assert plan.labels == {"normal": 15, "abnormal": 2}
    assert len({item.patient_key_raw for item in plan.items}) == 7


def table(root: Path, *lines: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    path = root / name
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def test_columns_by_their_usual_names(tmp_path: Path) -> None:
    put(tmp_path, "images_001/a.png", "images_001/b.png")
    path = table(
        tmp_path,
        "\ufeffImage Index;Finding Labels;Patient ID;View Position;fold",
        "a.png;Effusion|Mass;7;ap;x",
        "b.png;;8;Müller;x",
    )
    first, second = plan_import(path).items
    assert first.path == tmp_path / "images_001" / "a.png"
    assert (first.labels, first.patient_key_raw, first.view) == (("Effusion", "Mass"), "7", "AP")
    assert (second.labels, second.view) == ((), None)


def test_one_column_a_finding(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    path = table(
        tmp_path, "Path,Age,No Finding,Pleural Effusion,Edema", "a.png,1,,1.0,-1", "b.png,0,1,0,", encoding="cp1252"
    )
    plan = plan_import(path)
    assert [item.labels for item in plan.items] == [("Pleural Effusion",), ("No Finding",)]


def test_rows_that_lead_nowhere(tmp_path: Path) -> None:
    root = tmp_path / "in"
    put(root, "a.png", "x/same.png", "y/same.png")
    put(tmp_path, "outside.png")
    path = table(
        root,
        "file,label",
        "a.png,0",
        "a.png,1",
        "b.png,0",
        "../outside.png,1",
        f"{tmp_path}/outside.png,1",
        "same.png,0",
        ",1",
    )
    plan = plan_import(path)
    assert [(item.row_number, item.reason) for item in plan.items] == [
        (2, None),
        (3, Reason.DUPLICATE),
        (4, Reason.MISSING),
        (5, Reason.OUTSIDE),
        (6, Reason.OUTSIDE),
        (7, Reason.MISSING),
        (8, Reason.MISSING),
    ]
    assert all((item.path is None) == (item.reason is not None) for item in plan.items)


def test_a_given_split_must_not_share_patients(tmp_path: Path) -> None:
    put(tmp_path, *(f"{i}.png" for i in range(6)))
    rows = ("0.png,A,train", "1.png,A,validation", "2.png,B,test", "3.png,B,test", "4.png,C,", "5.png,D,dev")
    path = table(tmp_path, "path,patient_id,split", *rows)
    with pytest.raises(ImportRefused, match=r"^1 patient .* more than one"):
        plan_import(path)
    plan = plan_import(path, resplit=True)
    assert all(len(found) == 1 for found in splits_by_patient(plan.items).values())
    path = table(tmp_path, "path,patient_id,split", *rows[2:])
    plan = plan_import(path)
    assert [item.split for item in plan.items[:2]] == ["test", "test"]
    assert plan.items[3].split == "val"
    assert any(problem.startswith("1 image without a split") for problem in plan.problems)


def test_a_missing_validation_split_is_taken_from_training(tmp_path: Path) -> None:
    put(tmp_path, *(f"{s}/{c}/{i}.png" for s in ("train", "test") for c in ("normal", "sick") for i in range(24)))
    plan = plan_import(tmp_path)
    assert Counter(item.split for item in plan.items) == {"train": 42, "val": 6, "test": 48}
    assert all(item.name.startswith("test/") == (item.split == "test") for item in plan.items)
    assert Counter(item.labels for item in plan.items if item.split == "val") == {("normal",): 3, ("sick",): 3}
    assert any(problem.startswith("No validation split") for problem in plan.problems)


def test_links_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path / "store", "a.png", "b.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "normal").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "loop").symlink_to(tmp_path / "in")
    assert [item.name for item in plan_import(tmp_path / "in").items] == ["normal/a.png", "normal/b.png"]


def test_patients_in_two_splits() -> None:
    assert patients_in_two_splits(["a", "a", "b", "b"], ["train", "test", None, "val"]) == 1


def test_dicom_patients_come_from_headers(tmp_path: Path, dicom_bytes: Callable[..., bytes]) -> None:
    pixels = np.zeros((4, 4), np.uint16)
    for i, patient in enumerate(["A", "A", "B", None, None, None]):
        folder = tmp_path / f"PAT{i}"
        folder.mkdir()
        study = {"StudyInstanceUID": "1.2.3"} if i in (3, 4) else {}
        (folder / "IM0").write_bytes(dicom_bytes(pixels, PatientID=patient, ViewPosition="PA", **study))
    (tmp_path / "DICOMDIR").write_bytes(b"index")
    (tmp_path / "PAT0" / "report.txt").write_bytes(b"text")
    plan = plan_import(tmp_path)
    assert plan.layout == "dicom"
    assert plan.labels == {}
    keys = [item.patient_key_raw for item in plan.items if item.name.endswith("IM0")]
    assert keys[0] == keys[1] == "A"
    assert keys[2] == "B"
    assert keys[3] == keys[4] == "study:1.2.3"
    assert keys[5].startswith("study:")
    assert plan.items[0].view == "PA"


def test_a_single_file(tmp_path: Path, dicom_bytes: Callable[..., bytes]) -> None:
    path = tmp_path / "IM0"
    path.write_bytes(dicom_bytes(np.zeros((4, 4), np.uint16)))
    put(tmp_path, "beside.png")
    assert [item.path for item in plan_import(path).items] == [path]


def test_planning_tells_how_far_it_is_and_stops_at_a_word(tmp_path: Path) -> None:
    put(tmp_path, *(f"Jane-Doe{i}.png" for i in range(3)))
    told: list[tuple[float, str]] = []
    plan_import(tmp_path, progress=lambda share, message: told.append((share, message)))
    assert told == [
        (0.0, "0 files found"), (0.0, "1 file found"), (0.0, "2 files found"),
        (0.0, "looked at 0 of 3 files"), (1 / 3, "looked at 1 of 3 files"), (2 / 3, "looked at 2 of 3 files"),
    ]  # fmt: skip
    told.clear()
    plan_import(table(tmp_path, "path", "Jane-Doe0.png", "Jane-Doe1.png"), progress=lambda *said: told.append(said))
    assert told == [(0.0, "looked at 0 of 2 files"), (0.5, "looked at 1 of 2 files")]

    def stop(share: float, message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan_import(tmp_path, "folder", progress=stop)


def test_imports_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="nothing at this path"):
        plan_import(tmp_path / "missing")
    with pytest.raises(ImportRefused, match="No file to import"):
        plan_import(tmp_path)
    put(tmp_path, "a.png")
    with pytest.raises(ImportRefused, match="Unknown layout 'tree'"):
        plan_import(tmp_path, "tree")  # type: ignore[arg-type]
    with pytest.raises(ImportRefused, match="No CSV"):
        plan_import(tmp_path, "csv")
    with pytest.raises(ImportRefused, match="names the image files"):
        plan_import(table(tmp_path, "a,b", "1,2"))
    with pytest.raises(ImportRefused, match="no regular expression"):
        plan_import(tmp_path, patient_pattern="(")
    with pytest.raises(ImportRefused, match="different labels"):
        plan_import(table(tmp_path, "path,label", *(f"{i}.png,l{i}" for i in range(60))))
    with pytest.raises(ImportRefused, match="longer than"):
        plan_import(table(tmp_path, "path,label", f"a.png,{'long ' * 20}"))
    table(tmp_path, "path,label", "a.png,1", name="u.csv")
    with pytest.raises(ImportRefused, match="Several tables"):
        plan_import(tmp_path)


def test_plans_never_depend_on_file_order(tmp_path: Path) -> None:
    names = [f"{c}/{i}.png" for c in ("normal", "pneumonia") for i in range(30)]
    put(tmp_path / "one", *names)
    put(tmp_path / "two", *reversed(names))
    one, two = (plan_import(tmp_path / d, seed=3) for d in ("one", "two"))
    assert [(i.name, i.split) for i in one.items] == [(i.name, i.split) for i in two.items]
