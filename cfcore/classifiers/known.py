"""Weights of known architectures as other projects write them: MONAI, torchvision, torchxrayvision.

Densely connected networks: Huang et al. 2017; residual networks: He et al. 2016 (torchvision's strides), and MONAI's,
whose first convolution has stride 1. The key layouts differ in names only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from monai.networks.nets.densenet import DenseNet121, DenseNet169, DenseNet201
from monai.networks.nets.resnet import ResNet
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .base import Classifier
from .spec import ClassifierSpec, SpecError

State = dict[str, Tensor]

_DENSE = {"densenet121": DenseNet121, "densenet169": DenseNet169, "densenet201": DenseNet201}
_RESIDUAL: dict[str, tuple[str, list[int]]] = {
    "resnet18": ("basic", [2, 2, 2, 2]),
    "resnet34": ("basic", [3, 4, 6, 3]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
}
ARCHITECTURES = (*_DENSE, *_RESIDUAL, *(f"monai-{name}" for name in _RESIDUAL))
# Written by torchxrayvision beside the weights: per label the probability that counts as yes.
OPERATING_POINTS = "op_threshs"


class KnownClassifier(Classifier):
    """A network of a known architecture under the user's own weights.

    Args:
        spec: what goes in and out. outputs: number of outputs of the network.
        shortcut_bias: the residual shortcuts have biases (MONAI's default).
    """

    def __init__(self, spec: ClassifierSpec, outputs: int, *, shortcut_bias: bool = False) -> None:
        super().__init__()
        self.spec = spec
        self.class_names, self.channels, self.size = spec.class_names, 1, spec.size
        self.dense = spec.architecture in _DENSE
        self.network: nn.Module
        if self.dense:
            self.network = _DENSE[spec.architecture](2, spec.channels, outputs)
            return
        block, layers = _RESIDUAL[spec.architecture.removeprefix("monai-")]
        self.network = ResNet(
            block,
            layers,
            [64, 128, 256, 512],
            spatial_dims=2,
            n_input_channels=spec.channels,
            conv1_t_stride=1 if spec.architecture.startswith("monai-") else 2,
            num_classes=outputs,
            bias_downsample=shortcut_bias,
        )

    def _walk(self, images: Tensor) -> dict[str, Tensor]:
        """Activations by the name of the layer that gave them; "" is the last, before pooling."""
        out = self.spec.prepare(images)
        found = {}
        if self.dense:
            for name, layer in self._part("features").named_children():
                found[name] = out = layer(out)
            return found | {"": self.last_convolution(out)}
        for name in ("conv1", "bn1", "act", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            found[name] = out = self._part(name)(out)
        return found | {"": out}

    def _part(self, name: str) -> nn.Module:
        return self.network.get_submodule(name)

    @property
    def last_convolution(self) -> nn.Module:
        """The ReLU after the last dense block, or the last residual stage: its output is `maps`."""
        return self._part("class_layers.relu" if self.dense else "layer4")

    def maps(self, images: Tensor) -> Tensor:
        """(n, d, h, w) activations before global average pooling, rectified."""
        return self._walk(images)[""]

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """The stem and every stage; the last is `maps`."""
        found = self._walk(images)
        names = (
            ("relu0", "pool0", "transition1", "transition2") if self.dense else ("act", "layer1", "layer2", "layer3")
        )
        return [*(found[name] for name in names), found[""]]

    def features(self, images: Tensor) -> Tensor:
        return self.maps(images).mean(dim=(2, 3))

    def stages(self, images: Tensor) -> list[Tensor]:
        """Activations after the stem and the next two or three blocks, for feature distances."""
        found = self._walk(images)
        return [found[n] for n in ("pool0", "transition1", "transition2", "maxpool", "layer1", "layer2") if n in found]

    @property
    def _last(self) -> nn.Linear:
        layer = self._part("class_layers.out" if self.dense else "fc")
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        weight = self.spec.class_logits(self._last.weight.T).T
        bias = self.spec.class_logits(self._last.bias[None])[0]
        # The shift by the operating point belongs to the bias alone.
        at_zero = self.spec.class_logits(torch.zeros_like(self._last.bias)[None])[0]
        return weight - at_zero[:, None], bias

    def raw(self, images: Tensor) -> Tensor:
        """(n, outputs) of the network itself for (n, 1, *size) images in [0, 1]."""
        return self._last(self.features(images))

    def logits(self, images: Tensor) -> Tensor:
        return self.spec.class_logits(self.raw(images))


def load_known(path: Path, spec: ClassifierSpec) -> KnownClassifier:
    """The classifier of a safetensors file.

    Raises:
        SpecError: the YAML names no known architecture, or says of the outputs what the file does not hold.
        ValueError: the file is damaged, or holds another network; says what was expected and what was found.
    """
    if spec.architecture not in ARCHITECTURES:
        raise SpecError(
            f"architecture {spec.architecture!r} is not known: safetensors need one of {', '.join(ARCHITECTURES)}; "
            "for any other network save a torch.export program"
        )
    if spec.output != "logits":
        raise SpecError(f"output is {spec.output}: {spec.architecture} ends in its linear layer, so it is logits here")
    try:
        found = load_file(str(path))
    except SafetensorError as error:
        raise ValueError(f"the safetensors file is damaged ({error}): save it again") from error
    dense = spec.architecture in _DENSE
    state = (_dense_names if dense else _residual_names)(
        _without_prefix(found, "features.conv0." if dense else "conv1.")
    )
    head = state.get("class_layers.out.weight" if dense else "fc.weight")
    if head is None:
        raise ValueError(
            f"the file has no linear layer of a {spec.architecture} ({'classifier' if dense else 'fc'}.weight); "
            f"it has {_some(found)}"
        )
    if len(head) not in spec.output_counts:
        expected = " or ".join(str(n) for n in spec.output_counts)
        raise SpecError(
            f"the network has {len(head)} outputs, the description names {expected}: "
            f"give {'labels' if spec.labels else 'class_names (or labels)'} for all of them"
        )
    points = found.get(OPERATING_POINTS)
    if points is not None and spec.label is not None and spec.threshold is None and len(points) == len(spec.labels):
        point = float(points[spec.labels.index(spec.label)])
        if 0 < point < 1:
            spec = ClassifierSpec.from_dict(spec.as_dict() | {"threshold": point})
    classifier = KnownClassifier(spec, len(head), shortcut_bias="layer2.0.downsample.0.bias" in state)
    _fill(classifier, state)
    classifier.requires_grad_(False).eval()
    return classifier


def _fill(classifier: KnownClassifier, state: State) -> None:
    expected = classifier.network.state_dict()
    # Counts the training steps; not every writer keeps it, and nothing here reads it.
    optional = {name for name in expected if name.endswith("num_batches_tracked")}
    missing = sorted(set(expected) - set(state) - optional)
    extra = sorted(set(state) - set(expected))
    name = classifier.spec.architecture
    if missing or extra:
        raise ValueError(
            f"the file does not hold a {name}: "
            + "; ".join(
                f"{len(names)} tensors are {what}, first {names[0]}"
                for what, names in (("missing", missing), ("of something else", extra))
                if names
            )
        )
    for key, tensor in state.items():
        if tensor.shape != expected[key].shape:
            first = key in ("features.conv0.weight", "conv1.weight")
            hint = ": check input.channels" if first else ""
            raise ValueError(
                f"{key} is {tuple(tensor.shape)} in the file, {tuple(expected[key].shape)} in a {name}{hint}"
            )
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{key} holds values that are not finite: the training has failed, or the file is damaged")
    values = {key: tensor.to(expected[key].dtype) for key, tensor in state.items()}
    classifier.network.load_state_dict(expected | values)


def _without_prefix(found: State, first: str) -> State:
    """Wrappers ("module.", "model.", "densenet121.") taken off: what stands before the first layer's name."""
    starts = [key[: -len(first + "weight")] for key in found if key.endswith(first + "weight")]
    prefix = min(starts, key=len, default="")
    return {key.removeprefix(prefix): tensor for key, tensor in found.items() if key.startswith(prefix)}


def _rename(state: State, rules: tuple[tuple[str, str], ...], drop: Callable[[str], bool]) -> State:
    renamed = {}
    for key, tensor in state.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        if not drop(key):
            renamed[key] = tensor
    return renamed


def _dense_names(state: State) -> State:
    """torchvision's (also of the time before its version 0.3) and torchxrayvision's names to MONAI's."""
    rules = (
        (r"(denselayer\d+)\.(norm|conv)\.?([12])\.", r"\1.layers.\2\3."),
        (r"^classifier\.(?:\d+\.)?(weight|bias)$", r"class_layers.out.\1"),
    )
    return _rename(state, rules, lambda key: key == OPERATING_POINTS)


def _residual_names(state: State) -> State:
    return _rename(state, ((r"^fc\.(?:\d+\.)?(weight|bias)$", r"fc.\1"),), lambda key: key == OPERATING_POINTS)


def _some(found: State) -> str:
    names = sorted(found)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
