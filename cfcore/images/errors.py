"""Why an image or an import was refused, in words that can never carry patient data."""

from enum import StrEnum


class Reason(StrEnum):
    """Fixed vocabulary of reasons for skipping one file.

    The value is the code that is stored and logged; `text` is the sentence shown to a person. Neither holds
    anything read from the file, its name or its header.
    """

    EMPTY = "empty"
    MISSING = "missing"
    OUTSIDE = "outside"
    UNOPENABLE = "unopenable"
    NOT_AN_IMAGE = "not-an-image"
    OTHER_FORMAT = "other-format"
    DAMAGED = "damaged"
    NO_PIXELS = "no-pixels"
    TOO_LARGE = "too-large"
    ANIMATED = "animated"
    MULTI_FRAME = "multi-frame"
    COLOUR = "colour"
    UNSUPPORTED = "unsupported"
    NOT_DEIDENTIFIED = "not-deidentified"
    DUPLICATE = "duplicate"

    @property
    def text(self) -> str:
        """One sentence: what is wrong and what helps."""
        return _TEXTS[self]


_TEXTS = {
    Reason.EMPTY: "The file has 0 bytes. Copy it again from its source.",
    Reason.MISSING: "The table names a file that is not there. Check the path column.",
    Reason.OUTSIDE: "The path leads out of the imported folder. Move the file into it.",
    Reason.UNOPENABLE: "The file cannot be opened. Check its access rights.",
    Reason.NOT_AN_IMAGE: "This is not an image. PNG, JPEG and DICOM files can be imported.",
    Reason.OTHER_FORMAT: "This image format is not read. Convert it, without loss, to PNG.",
    Reason.DAMAGED: "The file is cut short or damaged. Copy it again from its source.",
    Reason.NO_PIXELS: "The DICOM file holds no pixel data. Export the image object itself.",
    Reason.TOO_LARGE: "The image has more than 67 million pixels or its file more than 1 GiB.",
    Reason.ANIMATED: "The file holds several pictures. Save the one that is meant as PNG.",
    Reason.MULTI_FRAME: "The DICOM file holds several frames. Export single-frame images.",
    Reason.COLOUR: "The image is in colour. Radiographs are gray: convert it, or remove coloured marks.",
    Reason.UNSUPPORTED: "The pixels are coded in a way that is not read. Export uncompressed or as JPEG 2000.",
    Reason.NOT_DEIDENTIFIED: "The header could not be de-identified. Export it with standard attributes only.",
    Reason.DUPLICATE: "An earlier row already names this file. Keep one row a file.",
}


class UnreadableImage(ValueError):
    """One file cannot be imported.

    `reason` is from the fixed vocabulary; the message is its text. The name of the file is not in it: only the
    caller knows it, and shows it to the importer alone.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class ImportRefused(ValueError):
    """A whole import cannot be planned; the message says what is wrong and what to do, without names."""
