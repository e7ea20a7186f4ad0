"""The header is emptied: first by the profile of PS3.15, then by an allow-list."""

import io
import logging
import warnings
from collections.abc import Callable

import numpy as np
import pydicom.datadict
import pytest
from dicomanonymizer import simpledicomanonymizer as profile
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cfcore.images.deidentify import KEPT_ATTRIBUTES, PROFILE_EDITION, deidentify
from cfcore.images.errors import Reason, UnreadableImage
from cfcore.images.reading import read_image_bytes

CANARY = "CANARYUS"
PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)
_TEXT_VRS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}


def full_of_canaries(dataset: Dataset) -> Dataset:
    """Writes the canary into every attribute of a text type that the dictionary knows, and into hiding places."""
    for tag, entry in pydicom.datadict.DicomDictionary.items():
        vr, keyword = entry[0], entry[4]
        if vr in _TEXT_VRS and keyword and tag >> 16 > 7 and keyword not in dataset and tag not in dataset:
            dataset.add_new(tag, vr, CANARY)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = f"{CANARY}^Erika"
    dataset.PatientBirthDate = "19000101"
    block = dataset.private_block(0x0041, CANARY, create=True)
    block.add_new(0x01, "LO", CANARY)
    inner = Dataset()
    inner.PatientName = inner.LUTExplanation = CANARY
    for keyword in ("RequestAttributesSequence", "SourceImageSequence", "ContentSequence", "AnatomicRegionSequence"):
        setattr(dataset, keyword, Sequence([inner]))
    dataset.add_new(0x60000010, "US", 8)
    dataset.add_new(0x60000022, "LO", CANARY)
    dataset.add_new(0x50003000, "OW", CANARY.encode())
    dataset.file_meta.SourceApplicationEntityTitle = CANARY
    return dataset


def test_nothing_but_the_allow_list_survives(dicom_dataset: Callable[..., Dataset]) -> None:
    kept = deidentify(full_of_canaries(dicom_dataset(PIXELS, 12)))
    assert {element.keyword for element in kept.iterall()} <= KEPT_ATTRIBUTES
    assert CANARY not in str(kept.file_meta)
    assert {element.keyword for element in kept.file_meta} == {"TransferSyntaxUID"}


def test_the_profile_alone_empties_what_it_names(dicom_dataset: Callable[..., Dataset]) -> None:
    dataset = full_of_canaries(dicom_dataset(PIXELS, 12))
    uids = {str(e.value) for e in dataset if e.VR == "UI" and "Instance" in e.keyword}
    deidentify(dataset)
    assert CANARY not in f"{dataset.get('PatientName')} {dataset.get('PatientID')} {dataset.get('InstitutionName')}"
    assert not any(element.tag.is_private for element in dataset.iterall())
    assert uids.isdisjoint(str(e.value) for e in dataset if e.VR == "UI")


def test_the_library_forgets_the_uids(dicom_dataset: Callable[..., Dataset]) -> None:
    deidentify(dicom_dataset(PIXELS, 12))
    assert profile.dictionary == {}


def test_the_allow_list_and_the_profile_share_no_attribute() -> None:
    named = {tag for tag in profile.initialize_actions(PROFILE_EDITION) if len(tag) == 2}
    for keyword in KEPT_ATTRIBUTES:
        tag = pydicom.datadict.tag_for_keyword(keyword)
        assert tag is not None
        assert (tag >> 16, tag & 0xFFFF) not in named, keyword


def test_what_the_profile_cannot_handle_is_refused(dicom_bytes: Callable[..., bytes]) -> None:
    from cfcore.images import deidentify as module

    def fails(*_: object, **__: object) -> None:
        raise NotImplementedError(CANARY)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.profile, "anonymize_dataset", fails)
        with pytest.raises(UnreadableImage) as caught:
            read_image_bytes(dicom_bytes(PIXELS, 12))
    assert caught.value.reason == Reason.NOT_DEIDENTIFIED
    assert CANARY not in str(caught.value)


def test_nothing_is_said_about_headers(
    dicom_dataset: Callable[..., Dataset], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    dataset = full_of_canaries(dicom_dataset(PIXELS, 12))
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    data = buffer.getvalue().replace(b"19000101", CANARY.encode()).replace(b"ISO_IR 100", b"CANARYUS10")
    assert data.count(CANARY.encode()) > 500
    caplog.clear()
    capfd.readouterr()
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(read_image_bytes(data).pixels, PIXELS)
    assert [str(w.message) for w in heard] == []
    assert CANARY not in caplog.text
    assert CANARY not in "".join(capfd.readouterr())
