"""PNG and JPEG: exact gray, and a clear refusal of everything else."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow
from PIL import PngImagePlugin

from cfcore.images.encode import decode_png, encode_png
from cfcore.images.errors import Reason, UnreadableImage
from cfcore.images.reading import read_image_bytes

SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))
PIXELS = st.one_of(arrays(np.uint8, SIDES), arrays(np.uint16, SIDES))


def saved(image: Pillow.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def raw_png(rows: bytes, width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG of unfiltered rows, for the kinds that Pillow cannot write."""
    stride = len(rows) // height
    body = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(height))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(body)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def reason_of(data: bytes) -> Reason:
    with pytest.raises(UnreadableImage) as caught:
        read_image_bytes(data)
    return caught.value.reason


@settings(deadline=None)
@given(PIXELS)
def test_stored_form_is_exact(pixels: np.ndarray) -> None:
    back = decode_png(encode_png(pixels))
    assert back.dtype == pixels.dtype
    np.testing.assert_array_equal(back, pixels)


@settings(deadline=None)
@given(PIXELS)
def test_gray_png_is_read_exactly(pixels: np.ndarray) -> None:
    image = read_image_bytes(encode_png(pixels))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.max_value == np.iinfo(pixels.dtype).max
    assert (image.source_kind, image.burned_in, image.lossy) == ("png", "not applicable", False)


@settings(deadline=None)
@given(arrays(np.uint8, SIDES), st.sampled_from(["RGB", "RGBA", "LA"]))
def test_equal_channels_become_that_channel(pixels: np.ndarray, mode: str) -> None:
    image = read_image_bytes(saved(Pillow.fromarray(pixels).convert(mode)))
    np.testing.assert_array_equal(image.pixels, pixels)


@settings(deadline=None)
@given(arrays(np.uint16, SIDES), st.sampled_from([(2, 3), (4, 2), (6, 4)]))
def test_16_bit_colour_png_keeps_16_bits(pixels: np.ndarray, kind: tuple[int, int]) -> None:
    colour, channels = kind
    planes = np.repeat(pixels[..., None], channels, axis=2)
    if colour in (4, 6):
        planes[..., -1] = 65535
    height, width = pixels.shape
    image = read_image_bytes(raw_png(planes.astype(">u2").tobytes(), width, height, 16, colour))
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels, pixels)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_shallow_gray_is_spread_over_8_bits(depth: int) -> None:
    image = read_image_bytes(raw_png(bytes([0b00011011] * 4), 32 // depth, 1, depth, 0))
    bits = "00011011" * 4
    expected = [int(bits[i : i + depth], 2) * 255 // (2**depth - 1) for i in range(0, 32, depth)]
    assert image.pixels[0].tolist() == expected


def test_gray_jpeg_in_colour_is_its_luminance() -> None:
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    coloured = saved(Pillow.fromarray(ramp).convert("RGB"), "JPEG", quality=90)
    image = read_image_bytes(coloured)
    np.testing.assert_array_equal(image.pixels, np.asarray(Pillow.open(io.BytesIO(coloured)))[..., 1])
    assert image.source_kind == "jpeg"
    assert image.lossy


def test_palette_of_grays_is_gray() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    palette = Pillow.fromarray(pixels).convert("RGB").quantize(64)
    np.testing.assert_array_equal(read_image_bytes(saved(palette)).pixels, np.asarray(palette.convert("RGB"))[..., 0])


def test_transparent_parts_lie_over_black() -> None:
    planes = np.full((4, 4, 2), 200, np.uint8)
    planes[..., 1] = [0, 64, 128, 255]
    image = read_image_bytes(saved(Pillow.fromarray(planes, "LA")))
    assert image.pixels[0].tolist() == [0, 50, 100, 200]


def test_colour_is_refused() -> None:
    planes = np.full((8, 8, 3), 100, np.uint8)
    planes[3, 3, 0] = 101
    assert reason_of(saved(Pillow.fromarray(planes))) == Reason.COLOUR
    assert reason_of(saved(Pillow.new("CMYK", (8, 8), (1, 2, 3, 4)), "JPEG")) == Reason.COLOUR


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    pixels = np.zeros((16, 24), np.uint8)
    pixels[:8, :8] = 250
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = saved(Pillow.fromarray(pixels), kind, exif=exif)
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Pillow.open(io.BytesIO(data))))
    np.testing.assert_array_equal(read_image_bytes(data).pixels, expected)


def test_16_bit_png_is_turned_too() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    pixels = np.arange(6, dtype=np.uint16).reshape(2, 3) * 10000
    data = saved(Pillow.fromarray(pixels), exif=exif)
    np.testing.assert_array_equal(read_image_bytes(data).pixels, np.rot90(pixels, -1))


def test_12_bit_data_in_16_bits_gets_a_window() -> None:
    pixels = np.array([[100, 4000]], np.uint16)
    assert read_image_bytes(encode_png(pixels)).window == (2050.0, 3900.0)
    assert read_image_bytes(encode_png(pixels * 16)).window is None


def test_animations_are_refused() -> None:
    frames = [Pillow.new("L", (8, 8), v) for v in (0, 99)]
    assert reason_of(saved(frames[0], "PNG", save_all=True, append_images=frames[1:])) == Reason.ANIMATED


def test_bombs_are_refused_before_decoding() -> None:
    header = raw_png(b"", 30_000, 1, 8, 0).replace(struct.pack(">II", 30_000, 1), struct.pack(">II", 30_000, 30_000))
    at = header.index(b"IHDR")
    header = header[: at + 17] + struct.pack(">I", zlib.crc32(header[at : at + 17])) + header[at + 21 :]
    assert reason_of(header) == Reason.TOO_LARGE
    jpeg = bytearray(saved(Pillow.new("L", (8, 8)), "JPEG"))
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = struct.pack(">HH", 30_000, 30_000)
    assert reason_of(bytes(jpeg)) == Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"hello, this is a letter about somebody", Reason.NOT_AN_IMAGE),
        (b"\x89PN", Reason.NOT_AN_IMAGE),
        (saved(Pillow.new("L", (8, 8)), "GIF"), Reason.OTHER_FORMAT),
        (saved(Pillow.new("L", (8, 8)), "TIFF"), Reason.OTHER_FORMAT),
        (saved(Pillow.new("L", (8, 8)), "BMP"), Reason.OTHER_FORMAT),
        (saved(Pillow.new("L", (8, 8)), "WEBP"), Reason.OTHER_FORMAT),
    ],
)
def test_what_is_no_image(data: bytes, reason: Reason) -> None:
    assert reason_of(data) == reason


NOISE = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8))
WHOLE = {kind: saved(NOISE, kind) for kind in ("PNG", "JPEG")}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG"]), st.floats(0, 0.97))
def test_truncated_files_are_refused(kind: str, share: float) -> None:
    data = WHOLE[kind]
    with pytest.raises(UnreadableImage):
        read_image_bytes(data[: int(len(data) * share)])


@settings(max_examples=150, deadline=None)
@given(st.integers(8, len(WHOLE["PNG"]) - 1), st.integers(1, 255))
def test_a_changed_byte_never_changes_pixels(at: int, flip: int) -> None:
    data = bytearray(WHOLE["PNG"])
    data[at] ^= flip
    try:
        image = read_image_bytes(bytes(data))
    except UnreadableImage:
        return
    np.testing.assert_array_equal(image.pixels, np.asarray(NOISE))


@settings(max_examples=200)
@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\0" * 128 + b"DICM", b"\x08\0\x05\0", b""]), st.binary()
)
def test_noise_is_refused_not_raised(head: bytes, noise: bytes) -> None:
    with pytest.raises(UnreadableImage):
        read_image_bytes(head + noise)


def test_stored_form_holds_nothing_but_pixels() -> None:
    data, names = encode_png(np.zeros((4, 4), np.uint16)), []
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        names.append(data[at + 4 : at + 8])
        at += 12 + length
    assert set(names) == {b"IHDR", b"IDAT", b"IEND"}
    assert isinstance(Pillow.open(io.BytesIO(data)), PngImagePlugin.PngImageFile)


def test_stored_form_refuses_other_arrays() -> None:
    with pytest.raises(ValueError, match="float32"):
        encode_png(np.zeros((4, 4), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="gray PNG"):
        decode_png(saved(Pillow.new("RGB", (4, 4))))
