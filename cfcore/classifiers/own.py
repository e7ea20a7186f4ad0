"""A user's own classifier: from a file and its YAML to a checked one, and back from a model folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cfcore.training.weights import WEIGHTS, file_sha256, freeze

from .base import Classifier
from .known import KnownClassifier, load_known
from .program import IMAGES_A_CALL, Format, Program, ProgramClassifier, ProgramError, file_format
from .sandbox import Limits
from .spec import PROGRAM, ClassifierSpec, SpecError

FILE_NAMES: dict[Format, str] = {"safetensors": WEIGHTS, "torchscript": "program.pt", "export": "program.pt2"}

OwnClassifier = KnownClassifier | ProgramClassifier


@dataclass(frozen=True)
class Checked:
    """What trying a classifier showed.

    Attributes:
        card: the model's card. remarks: what a person should know before using it.
    """

    card: dict[str, Any]
    remarks: tuple[str, ...]


def is_code(path: Path) -> bool:
    """Whether the file is a program. Raises ProgramError for a file that is neither program nor safetensors."""
    return file_format(path) != "safetensors"


def take_in(source: Path, folder: Path, spec: ClassifierSpec, limits: Limits | None = None) -> Checked:
    """Copy `source` into the model folder, try it on a few images, and give its card; a program starts a sandbox.

    Raises:
        SpecError: the YAML and the file do not fit together.
        ValueError: the file is not usable; the message says what was expected and what was found.
    """
    format = file_format(source)
    if (spec.architecture == PROGRAM) != (format != "safetensors"):
        raise SpecError(
            f"architecture is {spec.architecture}, but the file is "
            + ("safetensors: name its architecture" if format == "safetensors" else f"a program: write {PROGRAM}")
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAMES[format]
    shutil.copyfile(source, path)
    card: dict[str, Any] = {
        "kind": "classifier",
        "architecture": spec.architecture,
        "format": format,
        "class_names": list(spec.class_names),
        "size": spec.size[0] if spec.size[0] == spec.size[1] else list(spec.size),
        "channels": 1,
        "spec": spec.as_dict(),
        "origin": "added by a user",
        "sha256": file_sha256(path),
    }
    if format == "safetensors":
        known = load_known(path, spec)
        remarks = try_out(known)
        return Checked(card | {"spec": known.spec.as_dict(), "remarks": list(remarks)}, remarks)
    program = Program(path, card["sha256"], format, limits=limits)
    try:
        classifier = ProgramClassifier(program, spec)
        program.batch = _batch(classifier)
        remarks = try_out(classifier)
        more = {"batch": program.batch, "protections": list(program.protections), "remarks": list(remarks)}
        return Checked(card | more, remarks)
    finally:
        program.close()


def load_own(folder: Path, card: dict[str, Any]) -> Classifier:
    """The frozen classifier of a model folder that `take_in` filled.

    Raises:
        ValueError: the file is gone, or is not the one that was added (SHA-256).
    """
    spec = ClassifierSpec.from_dict(card["spec"])
    path = folder / FILE_NAMES[card["format"]]
    if card["format"] != "safetensors":
        # Checked against the hash at each start of the child, which comes with the first question.
        program = Program(path, card["sha256"], card["format"], batch=card["batch"])
        return ProgramClassifier(program, spec)
    if not path.exists():
        raise ValueError(f"no {path.name} in the model folder: add the classifier again")
    found = file_sha256(path)
    if found != card["sha256"]:
        raise ValueError(
            f"{path.name} was changed since it was added (SHA-256 {found[:12]}…, expected {card['sha256'][:12]}…): "
            "restore it or add the classifier again"
        )
    classifier = load_known(path, spec)
    freeze(classifier)
    return classifier


def trial_images(size: tuple[int, int]) -> Tensor:
    """(4, 1, *size) in [0, 1]: black, white, noise, and a bright ellipse on a ramp."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.linspace(-1, 1, size[0])[:, None]
    columns = torch.linspace(-1, 1, size[1])[None, :]
    ramp = (rows + columns + 2) / 4
    ellipse = ((rows / 0.6) ** 2 + (columns / 0.4) ** 2 < 1).float()
    noise = torch.rand(size, generator=generator)
    return torch.stack([torch.zeros(size), torch.ones(size), noise, 0.6 * ramp + 0.4 * ellipse])[:, None]


def _batch(classifier: ProgramClassifier) -> int:
    """How many images at a time the program takes: any number, or one where it was exported so."""
    images = trial_images(classifier.spec.size)
    expected = f"(n, {classifier.spec.channels}, {classifier.size[0]}, {classifier.size[1]})"
    try:
        classifier.raw(images)
        return IMAGES_A_CALL
    except ProgramError as error:
        first = error
    try:
        classifier.raw(images[:1])
    except ProgramError:
        hint = "check input.size and input.channels in the description, or export the program again"
        raise ProgramError(f"expected a program that takes images {expected}: {first}; {hint}") from first
    return 1


@torch.no_grad()
def try_out(classifier: OwnClassifier) -> tuple[str, ...]:
    """Ask a classifier about `trial_images`; returns remarks.

    Raises:
        ValueError: outputs that are not finite, not the same twice, depend on the other images of a batch, or are
            not what the description says.
    """
    images = trial_images(classifier.spec.size)
    logits = classifier.logits(images)
    raw = classifier.raw(images)
    if not raw.isfinite().all():
        bad = (~raw.isfinite()).any(dim=1).nonzero()[0].item()
        name = ("black", "white", "noisy", "drawn")[int(bad)]
        raise ValueError(
            f"expected finite outputs, found {raw[int(bad)].tolist()[:3]} for a {name} image: check input.range, "
            "mean and std, or save the network again"
        )
    _check_values(raw, classifier.spec)
    slack = 1e-3 * max(1.0, float(raw.abs().max()))
    if (classifier.logits(images) - logits).abs().max() > slack:
        raise ValueError("the same images gave other outputs the second time: call .eval() before you save it")
    alone = torch.cat([classifier.raw(image[None]) for image in images])
    if (alone - raw).abs().max() > slack:
        raise ValueError(
            "an image alone gives another output than in a batch (batch norm or dropout in training mode): "
            "call .eval() before you save it"
        )
    remarks = []
    if (logits - logits[:1]).abs().max() < 1e-6:
        remarks.append(
            "All four trial images (black, white, noise, an ellipse) gave the same output; input.range may be wrong."
        )
    return (*remarks, *_gradient_remarks(classifier, images))


def _check_values(raw: Tensor, spec: ClassifierSpec) -> None:
    low, high = float(raw.min()), float(raw.max())
    exclusive = raw.shape[1] > 1 and not spec.labels
    inside = low >= -1e-4 and high <= 1 + 1e-4
    sums_to_one = bool(((raw.sum(dim=1) - 1).abs() < 1e-3).all())
    if spec.output == "probabilities":
        if not inside:
            raise ValueError(f"expected probabilities in [0, 1], found {low:.3g} to {high:.3g}: write output: logits")
        if exclusive and not sums_to_one:
            raise ValueError(
                "expected probabilities of exclusive classes that sum to 1, found sums "
                f"{float(raw.sum(1).min()):.3g} to {float(raw.sum(1).max()):.3g}: name independent outputs as labels, "
                "or write output: logits"
            )
    elif exclusive and inside and sums_to_one:
        raise ValueError("expected logits, found rows that sum to 1 within [0, 1]: write output: probabilities")


def _gradient_remarks(classifier: OwnClassifier, images: Tensor) -> tuple[str, ...]:
    with torch.enable_grad():
        leaf = images.clone().requires_grad_(True)
        logits = classifier.logits(leaf)
        try:
            (grad,) = torch.autograd.grad(logits[:, -1].sum(), leaf)
        except ProgramError as error:
            if "no gradient" not in str(error):
                raise
            return (
                "It gives no gradient: methods that follow the gradient, and trainings of generators, cannot use it.",
            )
    if not grad.isfinite().all():
        raise ValueError("the gradient with respect to the image is not finite: save the network again")
    if grad.abs().max() == 0:
        return ("Its gradient is zero on the trial images: the output may be saturated; prefer logits.",)
    return ()
