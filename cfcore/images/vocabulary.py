"""Words by which layouts recognise columns and class folders."""

import re

COLUMNS: dict[str, tuple[str, ...]] = {
    "path": (
        "path",
        "image_path",
        "file_path",
        "filepath",
        "image_file",
        "filename",
        "file_name",
        "file",
        "image",
        "image_index",
        "image_name",
        "img",
        "img_path",
        "dicom_path",
        "dicom",
    ),
    "patient": ("patient_id", "patientid", "patient", "subject_id", "subject", "case_id", "mrn", "pid"),
    "labels": (
        "finding_labels",
        "labels",
        "findings",
        "label",
        "class",
        "class_name",
        "category",
        "target",
        "diagnosis",
        "finding",
        "y",
    ),
    "split": ("split", "set", "subset", "fold_name", "partition", "dataset_split", "split_suggested"),
    "view": ("view", "view_position", "viewposition", "projection"),
}
"""Role of a column -> names that are understood, most telling first."""

_FINDINGS = (
    "atelectasis cardiomegaly effusion infiltration infiltrate mass nodule nodules pneumonia pneumothorax "
    "consolidation edema oedema emphysema fibrosis hernia opacity opacities lesion fracture tuberculosis tb covid "
    "covid19 congestion abscess bronchitis bronchiolitis viral bacterial bacteria virus device devices pacemaker "
    "cardiac enlarged enlargement aortic aorta calcification ild copd silicosis cancer tumor tumour malignant "
    "benign pleural thickening lung"
)
_GENERIC = (
    "no finding findings normal abnormal healthy sick ill diseased disease control controls case cases positive "
    "negative pos neg yes no class label other with without support unhealthy pathological pathology"
)
CLASS_WORDS = frozenset(f"{_FINDINGS} {_GENERIC}".split())

ONE_HOT_FINDINGS = frozenset(_FINDINGS.split()) | {"abnormal"}


def normalised(name: str) -> str:
    """A column or folder name in small letters with single underscores: 'Finding Labels' -> 'finding_labels'."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def is_class_name(name: str) -> bool:
    """Whether a folder name reads as a class (only words for findings and states, or one digit), not as a person."""
    words = [w for w in normalised(name).split("_") if w]
    return bool(words) and all(w in CLASS_WORDS or (w.isdigit() and len(w) == 1) for w in words)
