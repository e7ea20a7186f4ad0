"""Train the network that measures phantoms: ``python -m cfcore.images.phantom.fit``.

Renders patients whose factors fill their whole range independently of each other, so that no factor can be
read off another one, and fits `measure.Gauge` to them under blur, noise and exposure changes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from .anatomy import FACTORS, stream
from .factors import RANGES, VERSION, Factors, Patient
from .frame import Frame
from .geometry import LEFT, RIGHT, SIGN, geometry
from .measure import SCALES, SIDE, TARGETS, WEIGHTS, Callipers, Gauge, likeness_model, ratio
from .render import render

FIRST_SEED = 900_000_000  # beyond the patients of the data sets of seeds below 900


def wide_patient(seed: int) -> Patient:
    """A patient whose factors are independent and fill their ranges."""
    r = stream(seed, FACTORS, 1)

    def some(name: str, chance: float, power: float = 1.0) -> float:
        low, high = RANGES[name]
        return float(low + (high - low) * r.random() ** power) if r.random() < chance else 0.0

    sides = ("left", "right")
    factors = Factors(
        cardiothoracic_ratio=float(r.uniform(0.36, 0.72)),
        effusion_left=some("effusion_left", 0.4, 1.5),
        effusion_right=some("effusion_right", 0.4, 1.5),
        atelectasis=some("atelectasis", 0.35),
        atelectasis_side=sides[int(r.random() < 0.5)],
        mediastinal_shift=float(r.uniform(-0.2, 0.2)) if r.random() < 0.2 else None,
        opacity=some("opacity", 0.35),
        opacity_side=sides[int(r.random() < 0.5)],
        opacity_position=(float(r.random()), float(r.random())),
        lucency=some("lucency", 0.4),
        congestion=some("congestion", 0.4),
        barrel=some("barrel", 0.4),
        pacemaker=bool(r.random() < 0.35),
        build=float(np.clip(r.normal(0.0, 0.45), -1, 1)),
        age=float(r.uniform(18, 95)),
    )
    return Patient(seed, factors)


def targets(patient: Patient) -> list[float]:
    """True values in the order of `TARGETS`."""
    f = patient.factors
    left = f.atelectasis if f.atelectasis_side == "left" else 0.0
    values = {
        "atelectasis_left": left,
        "atelectasis_right": f.atelectasis - left,
        "mediastinal_shift": f.shift,
        "device": float(f.pacemaker),
    }
    return [values[name] if name in values else float(getattr(f, name)) for name in TARGETS]


def render_set(n: int, first: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, SIDE, SIDE) images and (n, targets) true values."""
    images = np.empty((n, SIDE, SIDE), dtype=np.float16)
    truth = np.empty((n, len(TARGETS)), dtype=np.float32)
    for i in range(n):
        patient = wide_patient(first + i)
        images[i], truth[i] = render(patient, SIDE), targets(patient)
        if i % 1000 == 999:
            print(f"rendered {i + 1} of {n}", flush=True)
    return torch.from_numpy(images), torch.from_numpy(truth)


def _augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """What a generator or a viewer may do to a phantom: blur, noise, brightness and contrast."""
    n = len(x)

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    blurred = functional.avg_pool2d(functional.pad(x[:, None], (1, 1, 1, 1), mode="replicate"), 3, 1)[:, 0]
    mix = uniform(0.0, 1.0) * (uniform(0.0, 1.0) < 0.4)
    x = x + mix * (blurred - x)
    x = x + uniform(-0.10, 0.10) * x * (1.0 - x) + uniform(-0.02, 0.02)
    return x + torch.randn(x.shape, generator=generator) * uniform(0.0, 0.015)


def fit(images: torch.Tensor, truth: torch.Tensor, seed: int, epochs: int, batch: int = 64) -> Gauge:
    """Train the gauge; one cycle of the learning rate."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    net = Gauge()
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.15)
    scale = torch.tensor([SCALES[name] for name in TARGETS])
    weight = torch.ones(len(TARGETS) - 1)
    weight[0] = 3.0  # the cardiothoracic ratio has the tightest goal
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(images), generator=generator)
        losses = []
        for k in range(0, len(order) - batch + 1, batch):
            index = order[k : k + batch]
            seen = _augment(images[index].float(), generator)
            with torch.autocast("cpu", torch.bfloat16):
                features = net.features(seen)
            out = net.head(features.float())
            error = functional.smooth_l1_loss(out[:, :-1], (truth[index] / scale)[:, :-1], beta=0.1, reduction="none")
            device = functional.binary_cross_entropy_with_logits(out[:, -1], truth[index, -1])
            loss = (error * weight).mean() + 0.1 * device
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.4f}", flush=True)
    return net.eval()


def borders(patient: Patient) -> list[float]:
    """True x positions (share of the image) of the heart borders and chest walls, as `Callipers` finds them."""
    g = geometry(patient)
    frame = Frame.of(g, 8)
    found = []
    for side in (RIGHT, LEFT):
        k = int(g.heart[side].argmax())
        found.append((g.shift[k] + SIGN[side] * g.heart[side, k], g.v[k]))
    k = int(g.cage.argmax())
    found += [(SIGN[side] * g.cage[k], g.v[k]) for side in (RIGHT, LEFT)]
    return [float(x) for x in frame.place(np.array(found).T)[0]]


def visible(truth: torch.Tensor) -> torch.Tensor:
    """Indices of the images with fluid to less than a sixth of the height, and every eighth other one."""
    fluid = truth[:, [TARGETS.index("effusion_left"), TARGETS.index("effusion_right")]].max(1).values
    return torch.nonzero((fluid < 1 / 6) | (torch.arange(len(truth)) % 8 == 0))[:, 0]


def fit_callipers(
    images: torch.Tensor,
    where: torch.Tensor,
    ratios: torch.Tensor,
    seed: int,
    epochs: int,
    net: Callipers | None = None,
    rate: float = 8e-3,
    batch: int = 64,
) -> Callipers:
    """Train callipers (new, or `net` further) on (n, 64, 64) images, (n, 4) border positions, (n,) ratios."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    net = net or Callipers()
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-4)
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(images), generator=generator)
        errors = []
        for k in range(0, len(order) - batch + 1, batch):
            index = order[k : k + batch]
            seen = _augment(images[index].float(), generator)
            with torch.autocast("cpu", torch.bfloat16):
                maps = net.maps(seen)
            found = net.positions(maps)
            error = (ratio(found) - ratios[index]).abs().mean()
            loss = error + (found - where[index]).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            errors.append(float(error.detach()))
        print(f"callipers, epoch {epoch + 1} of {epochs}: mean error {np.mean(errors):.4f}", flush=True)
    return net.eval()


def main() -> None:
    """Render, train, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--callipers", type=int, default=7, help="epochs of the callipers, first stage")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="file that keeps the rendered images between runs")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    if options.cache and options.cache.exists():
        stored = torch.load(options.cache, weights_only=True)
        images, truth = stored["images"], stored["truth"]
    else:
        images, truth = render_set(options.images, FIRST_SEED)
        if options.cache:
            torch.save({"images": images, "truth": truth}, options.cache)
    net = fit(images, truth, options.seed, options.epochs)
    where = torch.tensor([borders(wide_patient(FIRST_SEED + i)) for i in range(len(images))])
    callipers = fit_callipers(images, where, truth[:, 0], options.seed, options.callipers)
    # Then mostly on hearts that are not drowned: guessing a hidden border blurs the sight of a free one.
    clear = visible(truth)
    callipers = fit_callipers(
        images[clear], where[clear], truth[clear, 0], options.seed + 1, options.callipers + 1, callipers, 4e-3
    )
    tensors = {f"gauge.{k}": v.half().contiguous() for k, v in net.state_dict().items()}
    tensors |= {f"callipers.{k}": v.half().contiguous() for k, v in callipers.state_dict().items()}
    tensors |= likeness_model(images.float())
    settings = {"phantom": VERSION, "images": len(images), "epochs": options.epochs, "seed": options.seed}
    save_file(tensors, options.out, metadata={"settings": json.dumps(settings), "targets": json.dumps(TARGETS)})


if __name__ == "__main__":
    main()
