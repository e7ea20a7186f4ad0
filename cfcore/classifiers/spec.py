"""The small YAML beside a user's own classifier: class names, what goes in, what comes out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import yaml
from torch import Tensor

PROGRAM = "program"
LARGEST_SIDE = 4096
# Probabilities 0 and 1 have no finite logit; this is about what float32 tells from 1.
CLOSEST_TO_CERTAIN = 1e-6

EXAMPLE = """\
# program: a TorchScript or torch.export file. Or a known architecture with safetensors weights:
# densenet121, densenet169, densenet201, resnet18, resnet34, resnet50, monai-resnet18, monai-resnet50
architecture: program

# Two names for one output: what 0 and 1 mean. With more outputs, one name each, in their order.
class_names: [Healthy, Pneumonia]

input:
  size: 224          # pixels, or [height, width]
  channels: 1        # or 3: the grey image is repeated
  range: [0, 1]      # what black and white are for the network, e.g. [-1024, 1024]
  # mean: [0.485, 0.456, 0.406]    # taken off after that
  # std: [0.229, 0.224, 0.225]     # and divided by

output: logits       # or probabilities, where the file ends in a sigmoid or softmax

# A network with independent labels: name all of its outputs, and the one to explain.
# labels: [Atelectasis, Cardiomegaly, Effusion]
# label: Cardiomegaly
# threshold: 0.5     # the probability of the label that counts as yes
"""

_KEYS = ("architecture", "class_names", "input", "output", "labels", "label", "threshold")
_INPUT_KEYS = ("size", "channels", "range", "mean", "std")


class SpecError(ValueError):
    """The YAML does not say what is needed; the message names the key, what was found and what was expected."""


@dataclass(frozen=True)
class ClassifierSpec:
    """What a user's classifier takes and gives.

    Attributes:
        architecture: "program" or a key of `known.ARCHITECTURES`.
        class_names: at least two; for a multi-label network those of `label`: (no, yes).
        size: (height, width) in pixels. channels: 1, or 3 with the grey image repeated.
        low, high: the network's values of black and white.
        mean, std: one value a channel, applied after that.
        output: "logits" or "probabilities".
        labels: names of the independent outputs of a multi-label network, else empty. label: the one explained.
        threshold: probability in (0, 1) at which the yes of a network with one yes/no output begins; its logit is
            shifted so that this is where the sigmoid is 0.5. None leaves the network's own.
    """

    architecture: str
    class_names: tuple[str, ...]
    size: tuple[int, int]
    channels: int = 1
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    output: str = "logits"
    labels: tuple[str, ...] = ()
    label: str | None = None
    threshold: float | None = None

    @property
    def output_counts(self) -> tuple[int, ...]:
        """How many outputs the network may have."""
        if self.labels:
            return (len(self.labels),)
        return (1, 2) if len(self.class_names) == 2 else (len(self.class_names),)

    def prepare(self, images: Tensor) -> Tensor:
        """(n, 1, *size) images in [0, 1] as (n, channels, *size) in the network's own values.

        Raises:
            ValueError: another size than the network's; says both.
        """
        if images.dim() != 4 or images.shape[1] != 1 or tuple(images.shape[2:]) != self.size:
            raise ValueError(
                f"the classifier takes images (n, 1, {self.size[0]}, {self.size[1]}), not {tuple(images.shape)}: "
                "resize them to its size"
            )
        own = images * (self.high - self.low) + self.low
        mean, std = (images.new_tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return ((own - mean) / std).expand(-1, self.channels, -1, -1).contiguous()

    def class_logits(self, outputs: Tensor) -> Tensor:
        """(n, classes) logits from (n, outputs) of the network.

        One yes/no output l is presented as (0, l). Probabilities p become log p (softmax) or log p / (1 - p) (sigmoid),
        p held within 1e-6 of certain. Of a multi-label network only `label` counts, against the rest.
        """
        if self.labels:
            assert self.label is not None
            i = self.labels.index(self.label)
            outputs = outputs[:, i : i + 1]
        if self.output == "probabilities":
            p = outputs.clamp(CLOSEST_TO_CERTAIN, 1 - CLOSEST_TO_CERTAIN)
            outputs = p.logit() if outputs.shape[1] == 1 else p.log()
        if outputs.shape[1] > 1:
            return outputs
        if self.threshold is not None:
            outputs = outputs - torch.tensor(self.threshold, dtype=torch.float64).logit().item()
        return torch.cat([torch.zeros_like(outputs), outputs], dim=1)

    def as_dict(self) -> dict[str, Any]:
        """JSON values for the model's card."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ClassifierSpec:
        """Back from `as_dict`."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**fields)


def read_spec(text: str) -> ClassifierSpec:
    """The spec that `text` (YAML, see `EXAMPLE`) says.

    Raises:
        SpecError: not YAML, a key that is unknown or missing, or a value that cannot be; names it and the expectation.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise SpecError(f"the description is not YAML{where}: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(values, dict):
        raise SpecError("the description is empty: give at least architecture, class_names and input with size")
    _only(values, _KEYS, "")
    source = values.get("input")
    if not isinstance(source, dict):
        raise SpecError("input is missing: give at least `input: {size: 224}`")
    _only(source, _INPUT_KEYS, "input.")
    channels = _whole(source.get("channels", 1), "input.channels")
    if channels not in (1, 3):
        raise SpecError(f"input.channels is {channels}: expected 1, or 3 for a grey image repeated")
    low, high = _numbers(source.get("range", [0, 1]), "input.range", (2,))
    if low == high:
        raise SpecError(f"input.range is [{low:g}, {high:g}]: black and white must differ")
    mean = _numbers(source.get("mean", 0), "input.mean", (1, channels))
    std = _numbers(source.get("std", 1), "input.std", (1, channels))
    if min(std) <= 0:
        raise SpecError(f"input.std is {list(std)}: expected numbers above 0")
    labels, label = _labels(values)
    architecture = values.get("architecture", PROGRAM)
    if not isinstance(architecture, str):
        raise SpecError(f"architecture is {architecture!r}: expected a name like {PROGRAM} or densenet121")
    output = values.get("output", "logits")
    if output not in ("logits", "probabilities"):
        raise SpecError(f"output is {output!r}: expected logits or probabilities")
    class_names = _class_names(values, label)
    threshold = values.get("threshold")
    if threshold is not None:
        (threshold,) = _numbers(threshold, "threshold", (1,))
        if not 0 < threshold < 1 or len(class_names) != 2:
            raise SpecError(f"threshold is {threshold:g}: expected a probability between 0 and 1, with two class names")
    return ClassifierSpec(
        architecture=architecture,
        class_names=class_names,
        size=_size(source.get("size")),
        channels=channels,
        low=low,
        high=high,
        mean=mean,
        std=std,
        output=output,
        labels=labels,
        label=label,
        threshold=threshold,
    )


def _only(values: dict[Any, Any], known: tuple[str, ...], where: str) -> None:
    for key in values:
        if key not in known:
            raise SpecError(f"unknown key {where}{key}: known are {', '.join(where + name for name in known)}")


def _whole(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpecError(f"{key} is {value!r}: expected a whole number")
    return value


def _numbers(value: Any, key: str, lengths: tuple[int, ...]) -> tuple[float, ...]:
    values = [_written_out(v) for v in (value if isinstance(value, list) else [value])]
    good = all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e9 for v in values)
    if not good or len(values) not in lengths:
        counts = " or ".join(str(n) for n in sorted(set(lengths)))
        raise SpecError(f"{key} is {value!r}: expected {counts} finite number{'s' if max(lengths) > 1 else ''}")
    return tuple(float(v) for v in values)


def _written_out(value: Any) -> Any:
    """YAML 1.1 reads 1e-3, without a point, as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _names(value: Any, key: str, least: int) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name.strip() for name in value):
        # YAML reads a bare No as false.
        raise SpecError(
            f"{key} is {value!r}: expected a list of names like [Healthy, Pneumonia]; put No and Yes in quotes"
        )
    names = tuple(name.strip() for name in value)
    if len(names) < least:
        raise SpecError(f"{key} has {len(names)} name{'s' if len(names) != 1 else ''}: expected at least {least}")
    if len(set(names)) != len(names):
        raise SpecError(f"{key} names one thing twice: {', '.join(names)}")
    return names


def _labels(values: dict[str, Any]) -> tuple[tuple[str, ...], str | None]:
    label = values.get("label")
    if values.get("labels") is None:
        if label is not None:
            raise SpecError("label is given without labels: name all outputs of the network under labels")
        return (), None
    labels = _names(values["labels"], "labels", 1)
    if label not in labels:
        raise SpecError(f"label is {label!r}: choose the one to explain from {', '.join(labels)}")
    return labels, label


def _class_names(values: dict[str, Any], label: str | None) -> tuple[str, ...]:
    if values.get("class_names") is None:
        if label is None:
            raise SpecError("class_names is missing: name the classes, e.g. [Healthy, Pneumonia]")
        return f"No {label}", label
    names = _names(values["class_names"], "class_names", 2)
    if label is not None and len(names) != 2:
        raise SpecError(f"class_names has {len(names)} names: with labels expected two, for no and yes of {label}")
    return names


def _size(value: Any) -> tuple[int, int]:
    if value is None:
        raise SpecError("input.size is missing: give the side in pixels, or [height, width]")
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2:
        raise SpecError(f"input.size is {value!r}: expected one side in pixels, or [height, width]")
    height, width = (_whole(side, "input.size") for side in sides)
    if not all(16 <= side <= LARGEST_SIDE for side in (height, width)):
        raise SpecError(f"input.size is {value!r}: expected 16 to {LARGEST_SIDE} pixels")
    return height, width
