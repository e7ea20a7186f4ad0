"""DICOM: exact pixels through LUTs, windows, signs, MONOCHROME1 and every transfer syntax that can be written."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from cfcore.images.dicom import read_keys
from cfcore.images.errors import Reason, UnreadableImage
from cfcore.images.image import Image
from cfcore.images.reading import read_image, read_image_bytes

Make = Callable[..., bytes]
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 85


def shown(image: Image) -> np.ndarray:
    centre, width = image.window or (image.max_value / 2, image.max_value)
    return np.clip((image.pixels - centre) / width + 0.5, 0, 1)


def reason_of(data: bytes) -> Reason:
    with pytest.raises(UnreadableImage) as caught:
        read_image_bytes(data)
    return caught.value.reason


def table(entries: np.ndarray, first: int, bits: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    item.LUTExplanation = "made for somebody"
    return item


@st.composite
def stored_values(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    bits = draw(st.integers(2, 16))
    signed = draw(st.booleans())
    dtype = np.dtype(("i" if signed else "u") + ("1" if bits <= 8 else "2"))
    low = -(2 ** (bits - 1)) if signed else 0
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    values = draw(arrays(np.int64, shape, elements=st.integers(low, low + 2**bits - 1)))
    return values.astype(dtype), bits


@SHARED
@given(stored_values(), st.sampled_from(["MONOCHROME1", "MONOCHROME2"]), st.sampled_from([None, 1.0, -1.0, 0.25]))
def test_stored_values_survive_exactly(
    dicom_bytes: Make, case: tuple[np.ndarray, int], photometric: str, slope: float | None
) -> None:
    stored, bits = case
    extra: dict[str, Any] = {} if slope is None else {"RescaleSlope": slope, "RescaleIntercept": -1024}
    image = read_image_bytes(dicom_bytes(stored, bits, PhotometricInterpretation=photometric, **extra))
    low = -(2 ** (bits - 1)) if stored.dtype.kind == "i" else 0
    expected = stored.astype(np.int64) - low
    assert image.max_value == 2**bits - 1
    assert image.pixels.dtype == (np.uint8 if bits <= 8 else np.uint16)
    inverted = (photometric == "MONOCHROME1") != (slope == -1.0)
    np.testing.assert_array_equal(image.pixels, image.max_value - expected if inverted else expected)


@SHARED
@given(
    stored_values(),
    st.sampled_from([(1, 0), (1, -1024), (2.5, 10), (-1, 4095), (-0.5, 3)]),
    st.floats(-3000, 5000),
    st.integers(2, 6000),
    st.sampled_from(["LINEAR", "LINEAR_EXACT"]),
    st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
)
def test_windows_show_what_pydicom_shows(
    dicom_dataset: Callable[..., Dataset],
    case: tuple[np.ndarray, int],
    rescale: tuple[float, float],
    centre: float,
    width: int,
    function: str,
    photometric: str,
) -> None:
    stored, bits = case
    dataset = dicom_dataset(
        stored,
        bits,
        RescaleSlope=rescale[0],
        RescaleIntercept=rescale[1],
        WindowCenter=round(centre, 2),
        WindowWidth=width,
        VOILUTFunction=function,
        PhotometricInterpretation=photometric,
    )
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    image = read_image_bytes(buffer.getvalue())
    values = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    low = -(2 ** (bits - 1)) if stored.dtype.kind == "i" else 0
    ends = [v * rescale[0] + rescale[1] for v in (low, low + 2**bits - 1)]
    expected = (values - ends[0]) / (ends[1] - ends[0])
    if photometric == "MONOCHROME1":
        expected = 1 - expected
    np.testing.assert_allclose(shown(image), expected, atol=2e-3 if width < 10 else 1e-4)


def test_sigmoid_window_is_applied(dicom_bytes: Make) -> None:
    image = read_image_bytes(dicom_bytes(RAMP, 12, WindowCenter=2000, WindowWidth=1000, VOILUTFunction="SIGMOID"))
    expected = 1 / (1 + np.exp(-4 * (RAMP - 2000.0) / 1000))
    np.testing.assert_allclose(image.pixels / 65535, expected, atol=1e-5)
    assert (image.window, image.max_value) == (None, 65535)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("first", [0, 100])
def test_modality_lut_is_applied(dicom_bytes: Make, bits: int, first: int) -> None:
    entries = (np.arange(4096)[::-1] * (2**bits - 1) // 4095).astype(np.uint16)
    item = table(entries, first, bits)
    item.ModalityLUTType = "US"
    image = read_image_bytes(dicom_bytes(RAMP, 12, ModalityLUTSequence=[item]))
    expected = entries[np.clip(RAMP.astype(int) - first, 0, 4095)]
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.max_value == 2**bits - 1


def test_voi_lut_is_applied_to_modality_values(dicom_bytes: Make) -> None:
    signed = (RAMP.astype(np.int32) - 2000).astype(np.int16)
    entries = np.sqrt(np.linspace(0, 1, 4096)) * 65535
    data = dicom_bytes(
        signed,
        16,
        RescaleSlope=1,
        RescaleIntercept=2000,
        VOILUTSequence=[table(np.rint(entries), 0, 16)],
        PhotometricInterpretation="MONOCHROME1",
    )
    np.testing.assert_array_equal(read_image_bytes(data).pixels, 65535 - np.rint(entries).astype(int)[RAMP])


def test_shallow_voi_lut_gives_way_to_a_window(dicom_bytes: Make) -> None:
    lut = table(np.arange(4096) // 16, 0, 8)
    both = read_image_bytes(dicom_bytes(RAMP, 12, VOILUTSequence=[lut], WindowCenter=2048.5, WindowWidth=4097))
    np.testing.assert_array_equal(both.pixels, RAMP)
    assert both.window == (2048.0, 4096.0)
    alone = read_image_bytes(dicom_bytes(RAMP, 12, VOILUTSequence=[lut]))
    np.testing.assert_array_equal(alone.pixels, RAMP // 16)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(dicom_bytes: Make, photometric: str) -> None:
    stored = RAMP.copy()
    stored[:, :2] = 3
    data = dicom_bytes(stored, 12, PixelPaddingValue=0, PixelPaddingRangeLimit=5, PhotometricInterpretation=photometric)
    image = read_image_bytes(data)
    assert (image.pixels[:, :2] == 0).all()
    expected = stored if photometric == "MONOCHROME2" else 4095 - stored.astype(int)
    np.testing.assert_array_equal(image.pixels[1:, 2:], expected[1:, 2:])


def test_bits_above_the_stored_ones_do_not_count(dicom_bytes: Make) -> None:
    image = read_image_bytes(dicom_bytes(RAMP | 0xF000, 12))
    np.testing.assert_array_equal(image.pixels, RAMP)


@pytest.mark.parametrize(
    ("syntax", "options"),
    [
        (uid.ImplicitVRLittleEndian, {}),
        (uid.ExplicitVRLittleEndian, {}),
        (uid.DeflatedExplicitVRLittleEndian, {}),
        (uid.RLELossless, {}),
        (uid.JPEG2000Lossless, {}),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_pydicom_transfer_syntaxes(
    dicom_dataset: Callable[..., Dataset], syntax: uid.UID, options: dict[str, Any], dtype: str
) -> None:
    stored = np.random.default_rng(1).integers(-100 if dtype == "int16" else 0, 120, (40, 56)).astype(dtype)
    dataset = dicom_dataset(stored, WindowCenter=50, WindowWidth=100)
    plain = io.BytesIO()
    dataset.save_as(plain)
    if syntax.is_compressed and syntax != uid.DeflatedExplicitVRLittleEndian:
        dataset.compress(syntax, **options)
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    image, expected = read_image_bytes(buffer.getvalue()), read_image_bytes(plain.getvalue())
    np.testing.assert_array_equal(image.pixels, expected.pixels)
    assert image.window == expected.window
    low = -(2**15) if dtype == "int16" else 0
    np.testing.assert_array_equal(image.pixels.astype(int), stored.astype(int) - low)


def recoded(data: bytes, syntax: Any, folder: Path) -> bytes:
    """The same file in another transfer syntax, written by GDCM."""
    source, target = folder / "source", folder / "target"
    source.write_bytes(data)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target.read_bytes()


@pytest.mark.parametrize(
    ("syntax", "tolerance"),
    [
        ("JPEGLosslessProcess14", 0),
        ("JPEGLosslessProcess14_1", 0),
        ("JPEGLSLossless", 0),
        ("JPEG2000Lossless", 0),
        ("RLELossless", 0),
        ("ExplicitVRBigEndian", 0),
    ],
)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_gdcm_transfer_syntaxes(dicom_bytes: Make, tmp_path: Path, syntax: str, tolerance: int, bits: int) -> None:
    rng = np.random.default_rng(2)
    stored = rng.integers(0, 2**bits, (40, 56)).astype(np.uint8 if bits == 8 else np.uint16)
    data = recoded(dicom_bytes(stored, bits), getattr(gdcm.TransferSyntax, syntax), tmp_path)
    meta = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).file_meta
    assert meta.TransferSyntaxUID != uid.ExplicitVRLittleEndian
    np.testing.assert_allclose(read_image_bytes(data).pixels, stored, atol=tolerance)


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_lossy_jpeg(dicom_dataset: Callable[..., Dataset], tmp_path: Path, syntax: uid.UID) -> None:
    from PIL import Image as Pillow

    smooth = (np.add.outer(np.arange(64), np.arange(64)) * 2).astype(np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(smooth).save(buffer, "JPEG", quality=95)
    dataset = dicom_dataset(smooth, LossyImageCompression="01", PixelData=encapsulate([buffer.getvalue()]))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"].is_undefined_length = True
    whole = io.BytesIO()
    dataset.save_as(whole)
    image = read_image_bytes(whole.getvalue())
    np.testing.assert_allclose(image.pixels, smooth, atol=3)
    assert image.lossy


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_channels(dicom_bytes: Make, photometric: str) -> None:
    gray = np.full((8, 8, 3), 128, np.uint8)
    gray[..., 0] = np.arange(64).reshape(8, 8)
    if photometric == "RGB":
        gray = np.repeat(gray[..., :1], 3, axis=2)
    extra = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": photometric}
    image = read_image_bytes(dicom_bytes(gray, 8, **extra))
    np.testing.assert_array_equal(image.pixels, np.arange(64).reshape(8, 8))
    gray[0, 0] = (90, 30, 200)
    assert reason_of(dicom_bytes(gray, 8, **extra)) == Reason.COLOUR


@pytest.mark.parametrize(("value", "flag"), [("YES", "yes"), ("NO", "no"), (None, "unknown"), ("MAYBE", "unknown")])
def test_burned_in_annotation(dicom_bytes: Make, value: str | None, flag: str) -> None:
    assert read_image_bytes(dicom_bytes(RAMP, 12, BurnedInAnnotation=value)).burned_in == flag


def test_coded_values_hold_no_free_text(dicom_bytes: Make) -> None:
    image = read_image_bytes(
        dicom_bytes(RAMP, 12, ViewPosition="MUSTERMANN", Modality="ERIKA", ImagerPixelSpacing=[0.2, 0.1])
    )
    assert (image.view, image.modality, image.spacing) == (None, None, (0.2, 0.1))
    image = read_image_bytes(dicom_bytes(RAMP, 12, ViewPosition="PA"))
    assert (image.view, image.modality, image.spacing) == ("PA", "CR", None)


def test_keys_come_from_the_header_alone(dicom_bytes: Make, tmp_path: Path) -> None:
    path = tmp_path / "IM0001"
    path.write_bytes(dicom_bytes(RAMP, 12, PatientID=" 17 ", ViewPosition="AP"))
    keys = read_keys(path)
    assert keys is not None
    assert (keys.patient_id, keys.view) == ("17", "AP")
    path.write_bytes(b"not an image at all")
    assert read_keys(path) is None


def test_files_without_preamble_are_recognised(dicom_dataset: Callable[..., Dataset]) -> None:
    for implicit in (True, False):
        buffer = io.BytesIO()
        bare = Dataset()
        bare.update(dicom_dataset(RAMP, 12))
        bare.save_as(buffer, implicit_vr=implicit, little_endian=True)
        assert buffer.getvalue()[128:132] != b"DICM"
        np.testing.assert_array_equal(read_image_bytes(buffer.getvalue()).pixels, RAMP)


def test_what_is_not_one_gray_frame_is_refused(dicom_bytes: Make, dicom_dataset: Callable[..., Dataset]) -> None:
    assert reason_of(dicom_bytes(RAMP, 12, PixelData=None)) == Reason.NO_PIXELS
    assert reason_of(dicom_bytes(RAMP, 12, PixelData=b"")) == Reason.NO_PIXELS
    two = np.stack([RAMP, RAMP])
    assert reason_of(dicom_bytes(two, 12, NumberOfFrames=2, Rows=6, Columns=8)) == Reason.MULTI_FRAME
    assert reason_of(dicom_bytes(RAMP, 12, Rows=30_000, Columns=30_000)) == Reason.TOO_LARGE
    assert reason_of(dicom_bytes(RAMP, 12, Rows=None)) == Reason.DAMAGED
    assert reason_of(dicom_bytes(RAMP, 12, BitsAllocated=32, BitsStored=32)) == Reason.UNSUPPORTED
    foreign = dicom_dataset(RAMP, 12, PixelData=encapsulate([b"\0\0\1\xb3" + bytes(64)]))
    foreign.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    foreign["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    foreign.save_as(buffer)
    assert reason_of(buffer.getvalue()) == Reason.UNSUPPORTED


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.RLELossless, uid.ExplicitVRLittleEndian])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9, 0.97])
def test_truncated_files_are_refused(dicom_dataset: Callable[..., Dataset], syntax: uid.UID, share: float) -> None:
    dataset = dicom_dataset(np.random.default_rng(3).integers(0, 4096, (64, 64)).astype(np.uint16), 12)
    if syntax != uid.ExplicitVRLittleEndian:
        dataset.compress(syntax)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    data = buffer.getvalue()
    assert reason_of(data[: int(len(data) * share)]) in (Reason.DAMAGED, Reason.NO_PIXELS)


@settings(SHARED, max_examples=100)
@given(st.data())
def test_damaged_headers_are_refused_not_raised(dicom_bytes: Make, tmp_path: Path, data: st.DataObject) -> None:
    lut = table(np.arange(4096) * 16, 0, 16)
    whole = bytearray(dicom_bytes(RAMP, 12, WindowCenter=5, WindowWidth=9, VOILUTSequence=[lut], PatientID="17"))
    end = whole.index(b"\xe0\x7f\x10\x00") + 16
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(132, end))] = data.draw(st.integers(0, 255))
    path = tmp_path / "file"
    path.write_bytes(whole)
    for read in (read_image, read_keys):
        try:
            read(path)
        except UnreadableImage as error:
            assert error.reason in Reason


def test_a_frame_larger_than_its_header_says_is_refused(dicom_dataset: Callable[..., Dataset]) -> None:
    dataset = dicom_dataset(np.zeros((64, 64), np.uint16), 12)
    dataset.compress(uid.JPEG2000Lossless)
    frame = bytearray(dataset.PixelData)
    siz = frame.index(b"\xff\x4f\xff\x51") + 8
    frame[siz : siz + 8] = (60_000).to_bytes(4, "big") * 2
    dataset.PixelData = bytes(frame)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert reason_of(buffer.getvalue()) == Reason.DAMAGED


def test_a_deflate_bomb_is_refused(dicom_dataset: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dicom_dataset(np.zeros((2000, 2000), np.uint16))
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert len(buffer.getvalue()) < 20_000
    for padding in range(4):
        read_image_bytes(buffer.getvalue() + bytes(padding))
    monkeypatch.setattr("cfcore.images.dicom._MAX_INFLATED_BYTES", 2**20)
    assert reason_of(buffer.getvalue()) == Reason.TOO_LARGE


def test_a_real_radiograph(data_folder: Path) -> None:
    path = data_folder / "dicom" / "RG1_UNCR.dcm"
    image = read_image(path)
    stored = pydicom.dcmread(path).pixel_array.astype(int)
    np.testing.assert_array_equal(image.pixels, 32767 - stored)
    assert (image.pixels.dtype, image.max_value, image.view, image.modality) == (np.uint16, 32767, "PA", "CR")
    assert image.window == (32767 - 14999.5, 29999.0)
    assert image.burned_in == "unknown"
    field = shown(image)
    # Lungs are dark, the mediastinum is bright, whatever the file's MONOCHROME1 says.
    height, width = field.shape
    middle = field[int(height * 0.55) : int(height * 0.65)]
    assert (
        middle[:, int(width * 0.47) : int(width * 0.53)].mean() > middle[:, int(width * 0.2) : int(width * 0.3)].mean()
    )
