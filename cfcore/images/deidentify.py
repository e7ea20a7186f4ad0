"""De-identification of a DICOM header, before anything else looks at it.

Two nets, one behind the other. First the Basic Application Level Confidentiality Profile of DICOM PS3.15 (Table
E.1-1, edition 2026c) by the library dicom-anonymizer, private attributes removed. Then an allow-list: only
attributes without which the pixels cannot be read, and six technical values, go on; everything else is left behind,
so an attribute that the profile does not know, or a name typed into a harmless field, cannot pass.
"""

from functools import cache

from dicomanonymizer import simpledicomanonymizer as profile
from pydicom.dataset import Dataset, FileMetaDataset

from cfcore.images.errors import Reason, UnreadableImage

PROFILE_EDITION = "dicomfields_2026c"

_PIXEL_ATTRIBUTES = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "PixelData",
]
_TECHNICAL_ATTRIBUTES = [
    "Modality",
    "ViewPosition",
    "BurnedInAnnotation",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "LossyImageCompression",
]
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
_TABLE_ATTRIBUTES = ("LUTDescriptor", "LUTData")

KEPT_ATTRIBUTES = frozenset((*_PIXEL_ATTRIBUTES, *_TECHNICAL_ATTRIBUTES, *_TABLES, *_TABLE_ATTRIBUTES))
"""Keywords of the attributes that survive; none of them is in Table E.1-1."""


def deidentify(dataset: Dataset) -> Dataset:
    """A new data set with the attributes of `KEPT_ATTRIBUTES` alone; `dataset` is changed by the profile.

    File meta information is reduced to the transfer syntax. Raises UnreadableImage (NOT_DEIDENTIFIED) where the
    profile cannot be applied.
    """
    try:
        profile.anonymize_dataset(dataset, delete_private_tags=True, base_rules_gen=lambda: dict(_actions()))
    except Exception:
        raise UnreadableImage(Reason.NOT_DEIDENTIFIED) from None
    finally:
        # The library remembers every replaced UID for the life of the process.
        profile.dictionary.clear()
    kept = Dataset()
    for keyword in (*_PIXEL_ATTRIBUTES, *_TECHNICAL_ATTRIBUTES):
        if keyword in dataset:
            kept[keyword] = dataset[keyword]
    for keyword in _TABLES:
        if dataset.get(keyword):
            kept.add_new(keyword, "SQ", [_table(dataset[keyword].value[0])])
    kept.file_meta = FileMetaDataset()
    kept.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    return kept


@cache
def _actions() -> dict[tuple[int, ...], object]:
    actions: dict[tuple[int, ...], object] = profile.initialize_actions(PROFILE_EDITION)
    return actions


def _table(item: Dataset) -> Dataset:
    """Descriptor and data of a lookup table, without its explanation (free text)."""
    table = Dataset()
    for keyword in _TABLE_ATTRIBUTES:
        if keyword in item:
            table[keyword] = item[keyword]
    return table
