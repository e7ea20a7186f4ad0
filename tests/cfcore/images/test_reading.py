"""Files by path: what can be wrong before the first byte is read, and reasons that name nothing."""

from pathlib import Path

import numpy as np
import pytest

from cfcore.images.encode import encode_png
from cfcore.images.errors import Reason, UnreadableImage
from cfcore.images.reading import read_image


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    pixels = np.eye(8, dtype=np.uint8)
    for name in ("a.png", "b.jpg", "c.dcm", "d"):
        (tmp_path / name).write_bytes(encode_png(pixels))
        image = read_image(tmp_path / name)
        assert image.source_kind == "png"
        np.testing.assert_array_equal(image.pixels, pixels)


def test_refusals_never_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {name: tmp_path / f"CANARY_{name}.png" for name in ("gone", "folder", "empty", "large", "text", "closed")}
    paths["folder"].mkdir()
    paths["empty"].touch()
    with paths["large"].open("wb") as file:
        file.truncate(2**30 + 1)
    paths["text"].write_text("CANARY has a cough")
    paths["closed"].write_bytes(b"x")
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == paths["closed"]:
            raise PermissionError(str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    expected = {
        "gone": Reason.MISSING,
        "folder": Reason.NOT_AN_IMAGE,
        "empty": Reason.EMPTY,
        "large": Reason.TOO_LARGE,
        "text": Reason.NOT_AN_IMAGE,
        "closed": Reason.UNOPENABLE,
    }
    for name, path in paths.items():
        with pytest.raises(UnreadableImage) as caught:
            read_image(path)
        assert caught.value.reason == expected[name]
        assert "CANARY" not in f"{caught.value!r} {caught.value}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_every_reason_has_its_own_sentence() -> None:
    texts = [reason.text for reason in Reason]
    assert len(set(texts)) == len(Reason)
    assert all(text.endswith(".") for text in texts)


def test_real_radiographs_of_every_source(data_folder: Path) -> None:
    for folder in ("nih64", "nih256", "nih1024", "ucsd224/NORMAL", "ucsd_full"):
        for path in sorted((data_folder / "cxr" / folder).iterdir())[:25]:
            image = read_image(path)
            assert image.pixels.dtype == np.uint8
            assert image.pixels.std() > 10
