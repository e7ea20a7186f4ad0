"""Imports: what comes in is exact and nameless, what is bad is listed, what fails leaves nothing."""

from __future__ import annotations

import logging
import os
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image as Pillow
from PIL import PngImagePlugin
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid
from sqlalchemy.orm import Session

from cfcore.images.encode import decode_png, encode_png
from cfcore.images.errors import ImportRefused, Reason
from cfcore.images.phantom import Factors, Patient, render
from db.events import record
from db.models import Dataset, Event, Image, SkippedRow
from services.import_job import clean_up
from services.importing import NothingImported, import_images, import_phantom, pixel_hash, skipped_rows
from services.looks import approve_image, images_waiting, reject_image
from services.uploads import quarantine, receive_upload
from services.workspace import Workspace

CANARY = "Kanarienvogel"
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def dicom(path: Path, patient: str = "7", burned_in: str | None = "NO", name: str = "A^B") -> None:
    stored = np.arange(256, dtype=np.uint16).reshape(16, 16) * 16
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.PatientID, dataset.PatientName, dataset.InstitutionName = patient, name, name
    dataset.ImageComments, dataset.WindowCenterWidthExplanation = f"seen: {name}", name
    dataset.Modality, dataset.ViewPosition = "CR", "PA"
    if burned_in:
        dataset.BurnedInAnnotation = burned_in
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME1"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = "2048.5", "4097"
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path)


def everything(workspace: Workspace) -> bytes:
    """All file names and all bytes of a workspace, the database included."""
    workspace.engine.dispose()
    files = [path for path in workspace.folder.rglob("*") if path.is_file()]
    names = "\n".join(str(path.relative_to(workspace.folder)) for path in files).encode()
    return names + b"".join(path.read_bytes() for path in files)


def stored_files(workspace: Workspace) -> int:
    return sum(path.is_file() for path in (workspace.folder / "files").rglob("*"))


def rows_of(workspace: Workspace, table: type) -> list:  # type: ignore[type-arg]
    with workspace.session() as session:
        return list(session.scalars(sa.select(table).order_by(table.id)))


def one_of_each_bad_kind(folder: Path) -> dict[str, Reason]:
    whole = encode_png(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    (folder / "bad_cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "bad_text.png").write_text("a letter")
    (folder / "bad_empty").touch()
    wide = bytearray(encode_png(np.zeros((1, 1), np.uint8)))
    wide[16:24] = struct.pack(">II", 30_000, 30_000)
    wide[29:33] = struct.pack(">I", zlib.crc32(wide[12:29]))
    (folder / "bad_bomb.png").write_bytes(bytes(wide))
    frames = [Pillow.new("L", (8, 8), v) for v in (0, 99)]
    frames[0].save(folder / "bad_moving.png", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "bad_moving.gif", save_all=True, append_images=frames[1:])
    Pillow.new("RGB", (8, 8), (9, 8, 7)).save(folder / "bad_colour.jpg")
    dicom(folder / "bad_header")
    data = (folder / "bad_header").read_bytes()
    (folder / "bad_header").write_bytes(data[: data.index(b"\xe0\x7f\x10\x00")])
    return {
        "bad_cut.png": Reason.DAMAGED,
        "bad_text.png": Reason.NOT_AN_IMAGE,
        "bad_empty": Reason.EMPTY,
        "bad_bomb.png": Reason.TOO_LARGE,
        "bad_moving.png": Reason.ANIMATED,
        "bad_moving.gif": Reason.OTHER_FORMAT,
        "bad_colour.jpg": Reason.COLOUR,
        "bad_header": Reason.NO_PIXELS,
    }


def test_bad_files_are_listed_and_the_rest_comes_in(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    expected = one_of_each_bad_kind(folder)
    for i in range(4):
        (folder / f"good{i}.png").write_bytes(encode_png(RAMP + i))
    dicom(folder / "good_dicom")
    with caplog.at_level(logging.DEBUG):
        result = import_images(workspace, folder, "mixed")
    assert result.imported == 5
    assert {name: reason for _, reason, name in result.skipped} == {n: r.text for n, r in expected.items()}
    names = sorted(path.name for path in folder.iterdir())
    assert [(row, name) for row, _, name in result.skipped] == [
        (i, name) for i, name in enumerate(names, start=1) if name in expected
    ]
    stored = [(row.row_number, row.reason) for row in rows_of(workspace, SkippedRow)]
    assert stored == [(names.index(name) + 1, reason.value) for name, reason in sorted(expected.items())]
    assert skipped_rows(workspace, result.dataset_id) == [(row, reason) for row, reason, _ in result.skipped]
    assert caplog.text.count("skipped: ") == len(expected)
    found = everything(workspace) + caplog.text.encode()
    assert not any(name.encode() in found for name in names)


def test_pixels_and_technical_values_are_kept(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    dicom(tmp_path / "in" / "IM0")
    wide = np.arange(64, dtype=np.uint16).reshape(4, 16) * 1040
    (tmp_path / "in" / "wide.png").write_bytes(encode_png(wide))
    import_images(workspace, tmp_path / "in", "exact")
    first, second = rows_of(workspace, Image)
    np.testing.assert_array_equal(decode_png(workspace.get(first.file_key)), 4095 - np.arange(256).reshape(16, 16) * 16)
    assert (first.max_value, first.window_centre, first.window_width) == (4095, 4095 - 2048.0, 4096.0)
    assert (first.view, first.look, first.width, first.height) == ("PA", "not needed", 16, 16)
    assert first.meta["modality"] == "CR"
    pixels = decode_png(workspace.get(second.file_key))
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, wide)
    assert (second.width, second.height, second.sha256) == (16, 4, pixel_hash(wide))
    assert second.meta["burned_in"] == "not applicable"


def test_no_patient_data_anywhere(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / CANARY
    for sub in (f"{CANARY}_Tweety", f"{CANARY}_Woodstock"):
        (folder / sub).mkdir(parents=True)
    first, second = folder / f"{CANARY}_Tweety", folder / f"{CANARY}_Woodstock"
    dicom(first / f"{CANARY}.dcm", patient=CANARY, name=f"{CANARY}^Tweety")
    dicom(first / f"{CANARY}", patient=CANARY, burned_in=None, name=f"{CANARY}^Tweety")
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", CANARY)
    info.add_itxt("Comment", f"about {CANARY}")
    exif = Pillow.Exif()
    exif[0x010E] = f"{CANARY} chest"
    Pillow.fromarray(RAMP).save(second / f"{CANARY}.png", pnginfo=info, exif=exif)
    Pillow.fromarray(RAMP).save(second / f"{CANARY}.jpg", exif=exif, comment=CANARY.encode())
    (second / f"{CANARY}-cut.png").write_bytes(encode_png(RAMP)[:60] + CANARY.encode())
    (second / f"{CANARY}-cut.dcm").write_bytes((first / CANARY).read_bytes()[:700])
    (second / f"{CANARY}.txt").write_text(CANARY)
    table = folder / f"{CANARY}.csv"
    table.write_text(
        f"path,patient_id,label,view,remark\n{CANARY}_Woodstock/{CANARY}.png,{CANARY},normal,{CANARY},{CANARY}\n"
        f"{CANARY}-gone.png,{CANARY},normal,,\n"
    )
    with caplog.at_level(logging.DEBUG):
        results = [
            import_images(workspace, first, "one", "dicom"),
            import_images(workspace, second, "two"),
            import_images(workspace, table, "three"),
        ]
        table.unlink()
        results.append(import_images(workspace, folder, "four"))
        with quarantine(workspace) as upload:
            for path in (first / CANARY, second / f"{CANARY}.png"):
                with path.open("rb") as stream:
                    receive_upload(stream, path.name, upload)
            results.append(import_images(workspace, upload.folder, "five"))
        with pytest.raises(ImportRefused) as caught:
            import_images(workspace, second / f"{CANARY}.txt", "six")
    assert [result.imported for result in results] == [2, 2, 1, 4, 2]
    assert sum(len(result.skipped) for result in results) == 3 + 1 + 3
    told = "".join(p for r in results for p in r.problems) + str(caught.value) + repr(caught.value)
    kept = everything(workspace) + "".join(capfd.readouterr()).encode() + caplog.text.encode() + told.encode()
    assert CANARY.lower().encode() not in kept.lower()
    assert not any(word in kept for word in (b"Tweety", b"Woodstock", b"remark"))
    # The names are there for the importer, or the search above would prove nothing.
    assert CANARY in str(results[1].skipped)
    patients = {row.patient for row in rows_of(workspace, Image) if row.dataset_id == results[0].dataset_id}
    assert len(patients) == 1


def test_the_same_patient_has_one_pseudonym_a_workspace(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    dicom(tmp_path / "in" / "a", patient="17")
    dicom(tmp_path / "in" / "b", patient="17 ")
    dicom(tmp_path / "in" / "c", patient="18")
    import_images(workspace, tmp_path / "in", "one")
    import_images(workspace, tmp_path / "in", "two")
    names = [row.patient for row in rows_of(workspace, Image)]
    assert names[0] == names[1] == names[3] == names[4]
    assert names[2] == names[5] != names[0]
    from services.workspace import open_workspace

    other = open_workspace(tmp_path / "other")
    import_images(other, tmp_path / "in", "one")
    assert rows_of(other, Image)[0].patient != names[0]
    other.engine.dispose()


@pytest.mark.parametrize(("burned_in", "look"), [("YES", "waiting"), (None, "waiting"), ("NO", "not needed")])
def test_burned_in_text_waits_for_a_look(
    workspace: Workspace, tmp_path: Path, burned_in: str | None, look: str
) -> None:
    dicom(tmp_path / "IM0", burned_in=burned_in)
    result = import_images(workspace, tmp_path / "IM0", "one")
    assert rows_of(workspace, Image)[0].look == look
    assert result.waiting == len(images_waiting(workspace)) == (look == "waiting")


def test_looking(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "ab":
        dicom(tmp_path / "in" / name, burned_in="YES")
    result = import_images(workspace, tmp_path / "in", "one")
    good, bad = images_waiting(workspace, result.dataset_id)
    assert images_waiting(workspace, result.dataset_id + 1) == []
    approve_image(workspace, good.id, "account 1")
    reject_image(workspace, bad.id, "account 1")
    assert images_waiting(workspace) == []
    assert [row.look for row in rows_of(workspace, Image)] == ["approved", "rejected"]
    assert workspace.get(good.file_key)
    with pytest.raises(FileNotFoundError):
        workspace.get(bad.file_key)
    kinds = [(event.actor, event.kind) for event in rows_of(workspace, Event)]
    assert kinds[-2:] == [("account 1", "image approved"), ("account 1", "image rejected")]
    with pytest.raises(ValueError, match="is approved"):
        reject_image(workspace, good.id, "account 1")
    with pytest.raises(ValueError, match="is not there"):
        approve_image(workspace, 99, "account 1")


def test_what_fails_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.png").write_bytes(encode_png(RAMP + i))

    def cancel(share: float, message: str) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_images(workspace, folder, "cut", progress=cancel)
    assert stored_files(workspace) == 0
    assert rows_of(workspace, Dataset) == rows_of(workspace, Image) == []
    assert list((workspace.folder / "imports").iterdir()) == []
    assert import_images(workspace, folder, "cut").imported == 6
    with pytest.raises(ImportRefused, match="called 'cut' already"):
        import_images(workspace, folder, " cut ")
    with pytest.raises(ImportRefused, match="a name"):
        import_images(workspace, folder, " ")
    assert stored_files(workspace) == 6


def test_a_busy_event_log_is_tried_again(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(RAMP))
    calls = []

    def busy_once(session: Session, *args: str, **data: int) -> Event:
        calls.append(args)
        if len(calls) == 1:
            raise sa.exc.IntegrityError("insert", {}, Exception())
        return record(session, *args, **data)

    monkeypatch.setattr("services.importing.record", busy_once)
    assert import_images(workspace, tmp_path / "a.png", "one").imported == 1
    assert len(calls) == 2
    assert len(rows_of(workspace, Dataset)) == len(rows_of(workspace, Image)) == len(rows_of(workspace, Event)) == 1


def test_nothing_readable(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / name).write_text("text")
    with pytest.raises(NothingImported, match="None of the 2 files") as caught:
        import_images(workspace, tmp_path / "in", "none")
    assert [name for _, _, name in caught.value.skipped] == ["a", "b"]
    assert rows_of(workspace, Dataset) == []


KILLED = """
import sys, time
from pathlib import Path
from services.importing import import_images
from services.uploads import quarantine, receive_upload
from services.workspace import open_workspace

def progress(share, message):
    if share > 0.5:
        print("half", flush=True)
        time.sleep(60)

workspace = open_workspace(sys.argv[1])
with quarantine(workspace) as upload:
    for path in Path(sys.argv[2]).iterdir():
        with path.open("rb") as stream:
            receive_upload(stream, path.name, upload)
    import_images(workspace, upload.folder, "killed", progress=progress)
"""


def test_a_killed_import_is_cleaned_up_at_the_next_start(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(8):
        (folder / f"{CANARY}{i}.png").write_bytes(encode_png(RAMP + i))
    (tmp_path / "one.png").write_bytes(encode_png(RAMP))
    import_images(workspace, tmp_path / "one.png", "before")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(workspace.folder), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "half\n"
        before = stored_files(workspace)
        assert before > 1
        # While it lives nothing of it is touched.
        clean_up(workspace)
        assert stored_files(workspace) == before
        assert CANARY.encode() in everything(workspace)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert CANARY.encode() in everything(workspace)
    clean_up(workspace)
    assert CANARY.encode() not in everything(workspace)
    assert stored_files(workspace) == 1
    assert list((workspace.folder / "quarantine").iterdir()) == []
    assert [row.name for row in rows_of(workspace, Dataset)] == ["before"]


def test_duplicates_across_splits_are_told(workspace: Workspace, tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i}.png").write_bytes(encode_png(RAMP))
    result = import_images(workspace, tmp_path, "twins")
    assert any(problem.startswith("1 image, the same pixel by pixel, occurs") for problem in result.problems)


def test_phantoms_can_be_drawn_again_from_their_rows(workspace: Workspace) -> None:
    result = import_phantom(workspace, "phantom", 10, 64, 3, "cardiomegaly", {"pacemaker": (1.0, 0.0)})
    rows = rows_of(workspace, Image)
    assert result.imported == len(rows) == 10
    assert sum(row.labels == ["Cardiomegaly"] for row in rows) == 5
    assert {label for row in rows for label in row.labels} == {"Cardiomegaly", "No cardiomegaly"}
    assert len({row.patient for row in rows}) == 10
    for row in rows[:3]:
        truth = row.meta["phantom"]
        factors = dict(truth["factors"])
        factors["opacity_position"] = tuple(factors["opacity_position"])
        again = render(Patient(truth["seed"], Factors(**factors)), 64)
        np.testing.assert_array_equal(decode_png(workspace.get(row.file_key)), np.rint(again * 255).astype(np.uint8))
        assert factors["pacemaker"] == (row.labels == ["Cardiomegaly"])
    dataset = rows_of(workspace, Dataset)[0]
    assert dataset.kind == "phantom"
    assert dataset.meta["phantom"]["couple"] == {"pacemaker": [1.0, 0.0]}


def test_real_radiographs(workspace: Workspace, data_folder: Path, tmp_path: Path) -> None:
    lines = (data_folder / "cxr" / "labels.csv").read_text().splitlines()
    part = tmp_path / "cxr"
    part.mkdir()
    chosen = [line for line in lines[1:] if line.startswith("ucsd224")][::180]
    for line in chosen:
        name = line.split(",")[0]
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        (part / name).symlink_to(data_folder / "cxr" / name)
    (part / "labels.csv").write_text("\n".join([lines[0], *chosen]))
    result = import_images(workspace, part, "ucsd")
    rows = rows_of(workspace, Image)
    assert result.imported == len(chosen) == len(rows)
    for row, line in zip(rows, chosen, strict=True):
        with Pillow.open(data_folder / "cxr" / line.split(",")[0]) as source:
            np.testing.assert_array_equal(decode_png(workspace.get(row.file_key)), np.asarray(source)[..., 0])
        assert row.split == line.split(",")[-1]
    single = import_images(workspace, data_folder / "dicom", "dicom")
    assert single.waiting == 1
