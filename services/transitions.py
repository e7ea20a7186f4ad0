"""Films of Mirror-CFE: images of a data set on their way to another class, or, where C is wrong, to the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cfcore.mirror.transition import Transition, file_path
from cfcore.reports.transition import frames
from db.models import Image
from services.animation import coloured_gif, mp4, need_mp4
from services.datasets import DatasetView, dataset_named
from services.ground_truth import CASES, GroundTruth
from services.images import small_tensor
from services.models import load_classifier, load_generator, model_named
from services.selection import one_of_each, shuffled_images
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.classifiers.base import Classifier
    from cfcore.engines.base import Progress

FORMATS = {"mp4": ("mp4",), "gif": ("gif",), "both": ("mp4", "gif")}
BATCH = 32


@dataclass(frozen=True)
class Wish:
    """Which films.

    Attributes:
        classifier, generator, dataset: names. target: class to which images go that C gets right; None: the other one
            of the pair. images: how many, one a patient, in an order drawn from `seed`. kind: see FORMATS.
        case: "correct" or "error" leaves the others out. points: even steps of k.

    Raises:
        ValueError: a kind, a case or a number that cannot be.
    """

    classifier: str
    generator: str
    dataset: str
    target: str | None = None
    images: int = 4
    split: str = "test"
    kind: str = "gif"
    case: str = "all"
    points: int = 51
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FORMATS:
            raise ValueError(f"no format {self.kind!r}: choose one of {', '.join(FORMATS)}")
        if self.case not in CASES:
            raise ValueError(f"no case {self.case!r}: choose one of {', '.join(CASES)}")
        if self.images < 1:
            raise ValueError(f"images is {self.images}: choose at least 1")


@dataclass(frozen=True)
class Film:
    """The files of one image, its number in the workspace; `first`: k of the 1st CFE, None where there is none."""

    image: int
    files: tuple[Path, ...]
    case: Literal["correct", "error"]
    first: float | None


@dataclass(frozen=True, eq=False)
class _Led:
    """An image (1, 1, size, size) that is led to `target`; `truth` is its class."""

    row: Image
    picture: Tensor
    target: int
    truth: int


def write_transitions(workspace: Workspace, wish: Wish, out: Path, progress: Progress) -> list[Film]:
    """Draw the ways and write them below `out`, named as in the paper, N the image's number in the workspace.

    An image that C gets right goes to `wish.target` or its partner, one that C gets wrong to its ground truth. Left out
    are images without a known truth, those of the target class, and ways that the decoder was not trained for.

    Raises:
        ExportRefused: MP4 is asked for, and its library is missing.
        ValueError: no such model, data set or class; a classifier or decoder that do not belong together; no image is
            left. All say what to do.
    """
    from cfcore.engines.mirror import MirrorCFEConfig, MirrorEngine
    from cfcore.engines.mirror.transition import transition
    from cfcore.generators.mirror import MirrorDecoder

    if "mp4" in FORMATS[wish.kind]:
        need_mp4()
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name a folder, which is made where there is none")
    data = dataset_named(workspace, wish.dataset)
    classifier_row = model_named(workspace, wish.classifier, "classifier")
    decoder_row = model_named(workspace, wish.generator, MirrorDecoder.kind)
    classifier, decoder = (load_classifier(workspace, classifier_row.id), load_generator(workspace, decoder_row.id))
    assert isinstance(decoder, MirrorDecoder)
    engine = MirrorEngine(classifier, decoder, MirrorCFEConfig())
    truths = GroundTruth.of(classifier.class_names, classifier_row.card)
    led = _chosen(workspace, wish, data, classifier, decoder_row.card.get("pairs") or (), truths)
    made = []
    for i, one in enumerate(led):
        progress(i / len(led), f"film {i + 1} of {len(led)}")
        way = transition(engine, one.picture, one.target, one.truth, wish.points)
        made.append(_written(way, one.row.id, data.name, classifier.class_names, FORMATS[wish.kind], out))
    return made


def _written(
    way: Transition, number: int, data_set: str, classes: Sequence[str], endings: Sequence[str], out: Path
) -> Film:
    shown, files = list(frames(way)), []
    for ending in endings:
        path = out / file_path(way, data_set, number, classes, ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mp4(shown) if ending == "mp4" else coloured_gif(shown))
        files.append(path)
    return Film(number, tuple(files), way.case, way.first)


def _chosen(
    workspace: Workspace, wish: Wish, data: DatasetView, classifier: Classifier, pairs: Sequence[Sequence[str]],
    truths: GroundTruth,
) -> list[_Led]:  # fmt: skip
    import torch

    from services.training.mirror import partners_of

    names = classifier.class_names
    target = None if wish.target is None else classifier.class_index(wish.target)
    partners = partners_of(names, pairs)
    if target is None and (partners.sum(dim=1) > 1).any():
        raise ValueError(f"this decoder leads a class to several others: name one with --target, of {', '.join(names)}")
    images = shuffled_images(workspace, data.id, wish.split, wish.seed)
    # Errors are rare: a patient's other images are looked at, too, before one is taken.
    pool = images if wish.case == "error" else one_of_each(images)
    if not pool:
        told = ", ".join(sorted(data.splits)) or "none"
        raise ValueError(f"the data set {data.name!r} has no images in the split {wish.split!r}; splits are {told}")
    truths.check(data.name, data.labels)
    chosen: list[_Led] = []
    for start in range(0, len(pool), BATCH):
        rows = pool[start : start + BATCH]
        pictures = small_tensor(workspace, rows, classifier.size)
        with torch.no_grad():
            sources = classifier.logits(pictures).argmax(dim=1).tolist()
        for row, picture, source in zip(rows, pictures.split(1), sources, strict=True):
            truth = truths.class_of(row.labels)
            if truth is None:
                continue
            led = truth if source != truth else target
            if led is None:
                led = int(partners[source].int().argmax())
            case = "correct" if source == truth else "error"
            if partners[source, led] and wish.case in ("all", case):
                chosen.append(_Led(row, picture, led, truth))
        chosen = list({one.row.patient: one for one in reversed(chosen)}.values())[::-1]
        if len(chosen) >= wish.images:
            return chosen[: wish.images]
    if not chosen:
        what = "" if wish.case == "all" else f" of the case {wish.case!r}"
        raise ValueError(
            f"none of the {len(one_of_each(pool))} patients of the split {wish.split!r} has a way{what} to show: "
            "choose another target, split, case or data set"
        )
    return chosen
