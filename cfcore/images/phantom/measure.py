"""Measure the factors back from a phantom-like image: the objective reference for "the finding appears".

Two small networks read a 64 px area average: `Callipers` find the borders of heart and thorax, `Gauge` the
other factors (trained by ``python -m cfcore.images.phantom.fit`` on phantoms whose factors are independent of
each other). An image that does not look like a phantom, by a
Gaussian model of phantoms at 32 px, is "not measurable" and gets no numbers.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional

from .factors import RANGES
from .texture import resample

Array = np.ndarray
SIDE = 64
WEIGHTS = Path(__file__).with_name("gauge.safetensors")

# Order of the network's outputs, and the unit of each; the last one is a logit.
TARGETS = (
    "cardiothoracic_ratio", "effusion_left", "effusion_right", "mediastinal_shift", "atelectasis_left",
    "atelectasis_right", "opacity", "lucency", "congestion", "barrel", "build", "age", "device",
)  # fmt: skip
SCALES = {
    "cardiothoracic_ratio": 0.1, "effusion_left": 0.15, "effusion_right": 0.15, "mediastinal_shift": 0.1,
    "atelectasis_left": 0.4, "atelectasis_right": 0.4, "opacity": 0.4, "lucency": 0.4, "congestion": 0.4,
    "barrel": 0.4, "build": 0.4, "age": 22.0, "device": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """Factors read from an image; all None where `measurable` is False.

    Attributes:
        measurable: the image looks like a phantom.
        reason: why not ("" where it is measurable).
        likeness: distance from the phantoms in units of their 99th percentile; above 1 is not measurable.
        cardiothoracic_ratio .. age: as in `Factors`; atelectasis by side; effusion as share of the height.
        device: score from 0 to 1 that a pacemaker is there.
    """

    measurable: bool
    reason: str
    likeness: float
    cardiothoracic_ratio: float | None = None
    effusion_left: float | None = None
    effusion_right: float | None = None
    mediastinal_shift: float | None = None
    atelectasis_left: float | None = None
    atelectasis_right: float | None = None
    opacity: float | None = None
    lucency: float | None = None
    congestion: float | None = None
    barrel: float | None = None
    build: float | None = None
    age: float | None = None
    device: float | None = None


class Gauge(nn.Module):
    """Images (n, 64, 64) in [0, 1] to scaled factors (n, targets).

    Pixels are folded into channels first: half the resolution costs a quarter, and no sub-pixel edge is lost.
    """

    def __init__(self) -> None:
        super().__init__()

        def block(channels: int, out: int, stride: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())

        self.body = nn.Sequential(
            block(4, 24, 1), block(24, 32, 2), block(32, 48, 1), block(48, 64, 2), nn.Conv2d(64, 32, 1), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Linear(32 * 64, 96), nn.ReLU(), nn.Linear(96, len(TARGETS)))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 64, 64) to (n, 2048)."""
        folded = functional.pixel_unshuffle((images[:, None] - 0.55) / 0.28, 2)
        return self.body(folded.contiguous(memory_format=torch.channels_last)).flatten(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images))


class Callipers(nn.Module):
    """Images (n, 64, 64) to the x positions (share of the image) of four borders, (n, 4).

    Right and left heart border and right and left inner chest wall, each at its widest, right and left being
    the patient's. Every border is the mean position under its own soft heat map (soft-argmax): sub-pixel, and
    translation carries over without being learnt.
    """

    def __init__(self) -> None:
        super().__init__()

        def block(channels: int, out: int, stride: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())

        self.near = nn.Sequential(block(4, 24, 1), block(24, 24, 1))
        self.far = nn.Sequential(block(24, 40, 2), block(40, 48, 2), block(48, 48, 1), nn.Conv2d(48, 24, 1))
        self.mix = block(24, 24, 1)
        self.heat = nn.Conv2d(24, 4, 1)
        self.place = nn.Parameter(torch.zeros(4, 32, 32))

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 4, 32, 32) heat maps before the softmax."""
        folded = functional.pixel_unshuffle((images[:, None] - 0.55) / 0.28, 2)
        near = self.near(folded.contiguous(memory_format=torch.channels_last))
        far = functional.interpolate(self.far(near), scale_factor=4.0, mode="bilinear", align_corners=False)
        return self.heat(self.mix(near + far)) + self.place

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.positions(self.maps(images))

    @staticmethod
    def positions(maps: torch.Tensor) -> torch.Tensor:
        """Mean x under each heat map."""
        columns = maps.float().flatten(2).softmax(2).unflatten(2, maps.shape[2:]).sum(2)
        centres = (torch.arange(maps.shape[3], device=maps.device, dtype=torch.float32) + 0.5) / maps.shape[3]
        return columns @ centres


def ratio(borders: torch.Tensor) -> torch.Tensor:
    """Cardiothoracic ratio of (n, 4) border positions."""
    heart, thorax = borders[:, 1] - borders[:, 0], borders[:, 3] - borders[:, 2]
    return heart / thorax.clamp_min(0.1)


def _coarse(images: torch.Tensor) -> torch.Tensor:
    """(n, 64, 64) to (n, 1024): 32 px, mean and contrast of the image taken out."""
    small = functional.avg_pool2d(images[:, None], 2).flatten(1)
    small = small - small.mean(1, keepdim=True)
    return small / (small.std(1, keepdim=True) + 1e-6)


def _distances(coarse: torch.Tensor, model: dict[str, torch.Tensor]) -> torch.Tensor:
    """(2, n): Mahalanobis distance inside the subspace of the phantoms, root mean square outside it."""
    centred = coarse - model["mean"]
    inside = centred @ model["axes"].T
    outside = (centred - inside @ model["axes"]).square().mean(1).sqrt()
    return torch.stack([(inside / model["spread"]).square().mean(1).sqrt(), outside])


def _likeness(images: torch.Tensor, model: dict[str, torch.Tensor]) -> torch.Tensor:
    """(n,) distances from the phantoms; 1 is the limit."""
    scaled = _distances(_coarse(images), model) / model["limits"][:2, None]
    return torch.hypot(*scaled) / model["limits"][2]


def likeness_model(images: torch.Tensor, axes: int = 96) -> dict[str, torch.Tensor]:
    """Gaussian model of (n, 64, 64) phantoms and its limits, as tensors to store."""
    coarse = _coarse(images)
    half = len(coarse) * 3 // 4
    mean = coarse[:half].mean(0)
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)
    _, s, v = torch.svd_lowrank(coarse[:half] - mean, q=axes + 16, niter=3)
    torch.set_rng_state(generator_state)
    model = {"mean": mean, "axes": v[:, :axes].T.contiguous(), "spread": s[:axes] / half**0.5}
    apart = _distances(coarse[half:], model)
    typical = apart.median(1).values
    model["limits"] = torch.cat([typical, torch.hypot(*(apart / typical[:, None])).quantile(0.99)[None]])
    return {f"like.{k}": (t if k == "limits" else t.half()).contiguous() for k, t in model.items()}


@lru_cache(maxsize=1)
def _stored() -> tuple[Gauge, Callipers, dict[str, torch.Tensor]]:
    if not WEIGHTS.exists():
        raise FileNotFoundError(f"{WEIGHTS.name} is missing; make it with: python -m cfcore.images.phantom.fit")
    with safe_open(WEIGHTS, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def part(name: str) -> dict[str, torch.Tensor]:
        return {k.removeprefix(name): v.float() for k, v in tensors.items() if k.startswith(name)}

    gauge, callipers = Gauge(), Callipers()
    gauge.load_state_dict(part("gauge."))
    callipers.load_state_dict(part("callipers."))
    return gauge.eval(), callipers.eval(), part("like.")


def measure_batch(images: Array) -> list[Measurement]:
    """Measure (n, size, size) images in [0, 1], size 64 or more; see `measure`."""
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1] != images.shape[2] or images.shape[1] < SIDE:
        raise ValueError(f"images must be (n, size, size) with size at least {SIDE}, got {images.shape}")
    if not np.isfinite(images).all() or images.min(initial=0.0) < -0.01 or images.max(initial=1.0) > 1.01:
        raise ValueError("image values must lie in [0, 1]; scale by the largest value of the pixel type")
    gauge, callipers, like = _stored()
    small = torch.from_numpy(np.stack([resample(image.astype(np.float32), SIDE) for image in images]))
    with torch.inference_mode():
        distance = _likeness(small, like)
        scaled = gauge(small)
        # The callipers follow the borders themselves: half the error of a regression on the ratio.
        scaled[:, 0] = ratio(callipers(small)) / SCALES["cardiothoracic_ratio"]
    return [_reading(row, float(far)) for row, far in zip(scaled, distance, strict=True)]


def _reading(scaled: torch.Tensor, distance: float) -> Measurement:
    if not distance <= 1.0:
        return Measurement(False, "the image does not look like a phantom", distance)
    values: dict[str, float] = {}
    for name, raw in zip(TARGETS, scaled.tolist(), strict=True):
        low, high = RANGES.get(name, (0.0, 1.0))
        values[name] = float(np.clip(raw * SCALES[name], low, high))
    values["device"] = float(torch.sigmoid(scaled[-1]))
    return Measurement(True, "", distance, **values)


def measure(image: Array) -> Measurement:
    """Measure the factors of a phantom-like image.

    Args:
        image: (size, size) in [0, 1], size 64 or more; read as its 64 px area average.

    Returns:
        The factors, or a measurement that is not `measurable` and says why.

    Raises:
        ValueError: wrong shape, or values outside [0, 1].
    """
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"image must be (size, size), got shape {image.shape}")
    return measure_batch(image[None])[0]
