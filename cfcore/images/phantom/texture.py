"""Tissue texture, quantum noise and tubes (vessels, wires), the same at every image size."""

from functools import lru_cache

import numpy as np

from .anatomy import NOISE, TEXTURE, VESSELS, anatomy, stream

Array = np.ndarray
FULL = 1024  # pixels a side at which the quantum noise has its nominal strength


@lru_cache(maxsize=64)
def _smooth_basis(coarse: int, fine: int) -> Array:
    """(fine, coarse) cubic B-spline interpolation weights between cell centres."""
    x = (np.arange(fine) + 0.5) / fine * coarse - 0.5
    d = np.abs(x[:, None] - np.arange(-1, coarse + 1)[None])
    w = np.where(d < 1, 2 / 3 - d**2 + d**3 / 2, np.where(d < 2, (2 - d) ** 3 / 6, 0.0))
    w[:, 1] += w[:, 0]
    w[:, -2] += w[:, -1]
    return np.ascontiguousarray(w[:, 1:-1], dtype=np.float32)


@lru_cache(maxsize=32)
def _area_basis(fine: int, coarse: int) -> Array:
    """(coarse, fine) area-averaging weights."""
    edges = np.arange(coarse + 1) * fine / coarse
    cells = np.arange(fine)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return (np.clip(overlap, 0, None) * coarse / fine).astype(np.float32)


def resample(image: Array, size: int) -> Array:
    """Area average of a square image at `size` pixels (never enlarges)."""
    if image.shape[0] == size:
        return image
    if image.shape[0] % size == 0:
        k = image.shape[0] // size
        return image.reshape(size, k, size, k).mean((1, 3))
    basis = _area_basis(image.shape[0], size)
    return basis @ image @ basis.T


def texture(seed: int, size: int, octaves: tuple[float, ...], channel: int = 0) -> Array:
    """(size, size) smooth noise: octave k has 8 * 2^k cells a side and the given standard deviation."""
    rng = stream(seed, TEXTURE, channel)
    field = np.zeros((8, 8), dtype=np.float32)
    for k, sigma in enumerate(octaves):
        cells = 8 << k
        if 2 * cells > size:
            break
        if k:
            basis = _smooth_basis(cells // 2, cells)
            field = basis @ field @ basis.T
        field += rng.standard_normal((cells, cells), dtype=np.float32) * np.float32(2.0 * sigma)
    basis = _smooth_basis(len(field), size)
    return basis @ field @ basis.T


def quantum_noise(seed: int, size: int) -> Array:
    """(size, size) white noise, standard deviation 1 at 1024 px; smaller sizes are its area averages.

    Haar synthesis: each level adds detail whose mean over every 2 x 2 block is zero, so that a small image
    needs none of the finer levels and still agrees with the large one.
    """
    n = 8
    rng = stream(seed, NOISE)
    field = rng.standard_normal((n, n), dtype=np.float32) * np.float32(n / FULL)
    while n < size:
        h, w, d = rng.standard_normal((3, n, n), dtype=np.float32) * np.float32(n / FULL)
        finer = np.empty((n, 2, n, 2), dtype=np.float32)
        finer[:, 0, :, 0] = field + h + w + d
        finer[:, 0, :, 1] = field + h - w - d
        finer[:, 1, :, 0] = field - h + w - d
        finer[:, 1, :, 1] = field - h - w + d
        n *= 2
        field = finer.reshape(n, n)
    return resample(field, size)


def splat(points: Array, weights: Array, size: int) -> Array:
    """Deposit weights at (n, 2) pixel positions (x, y; centres at whole numbers) bilinearly."""
    x, y = points
    keep = (x > 0) & (y > 0) & (x < size - 1) & (y < size - 1)
    if not keep.all():
        x, y, weights = x[keep], y[keep], weights[keep]
    i, j = y.astype(np.int32), x.astype(np.int32)
    fy, fx = y - i, x - j
    flat = i * size + j
    low, high = weights * (1 - fy), weights * fy
    index = np.concatenate([flat, flat + 1, flat + size, flat + size + 1])
    mass = np.concatenate([low * (1 - fx), low * fx, high * (1 - fx), high * fx])
    return np.bincount(index, mass, size * size).reshape(size, size).astype(np.float32)


def tubes(starts: Array, ends: Array, radii: Array, strength: Array, size: int, hollow: bool = False) -> Array:
    """Thickness of cylinders along segments, area-averaged over pixels.

    starts, ends: (2, n) x, y as shares of the image; radii: (n,) share of the image; strength: (n,) factor.
    """
    p, q = starts * size - 0.5, ends * size - 0.5
    r = radii * size
    length = np.hypot(*(q - p)) + 1e-6
    dense = 0.95 if size <= 256 else 0.55
    steps = np.maximum(1, np.ceil(length / dense)).astype(int)
    lanes = np.clip(np.ceil(2.0 * r / dense), 1, 60).astype(int)
    count = steps * lanes
    segment = np.repeat(np.arange(len(r)), count)
    number = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    lane = number % lanes[segment]
    t = (number // lanes[segment] + 0.5) / steps[segment]
    offset = (lane + 0.5) / lanes[segment] * 2.0 - 1.0
    direction = ((q - p) / length)[:, segment]
    rs = r[segment]
    x = p[0, segment] + (q - p)[0, segment] * t - direction[1] * offset * rs
    y = p[1, segment] + (q - p)[1, segment] * t + direction[0] * offset * rs
    # Chord of the lane times the area it stands for; the mean chord of a disc is pi / 4 of its diameter.
    chord = np.sqrt(1.0 - offset**2) if not hollow else 0.4 + 0.6 * np.abs(offset)
    mass = strength[segment] * 2.0 * radii[segment] * chord * (2.0 * rs / lanes[segment]) * (length / steps)[segment]
    return splat(np.stack([x, y]), mass, size)


@lru_cache(maxsize=64)
def vessel_tree(seed: int) -> tuple[Array, Array, Array]:
    """Vessels of both lungs: (2, n) starts and ends in (side * u / half-width, v / height), (n,) radii.

    The first axis of the points carries the side in its sign (negative: the patient's right).
    """
    rng, a = stream(seed, VESSELS), anatomy(seed)
    n = 11
    side = np.repeat([0, 1], n)
    fan = np.tile(np.linspace(0.0, 1.0, n), 2)
    hilum = a.hilum[side].T
    jitter = rng.standard_normal((3, 2 * n))
    angle = -1.35 + 2.77 * fan + 0.10 * jitter[0]
    start = np.stack([hilum[0] * 0.80 + 0.008 * jitter[1], hilum[1] - 0.045 + 0.12 * fan + 0.008 * jitter[2]])
    length = (0.105 + 0.035 * np.abs(np.sin(angle))) * rng.uniform(0.7, 1.25, 2 * n)
    radius = (0.0062 + 0.0026 * (angle > 0.25)) * rng.uniform(0.75, 1.2, 2 * n) * hilum[2]
    mirror = np.where(side == 0, -1.0, 1.0)
    starts, ends, radii = [], [], []
    for _ in range(5):
        curve = rng.standard_normal(len(angle)) * 0.45
        bends = angle + curve * np.array([[-0.25], [0.25], [0.75]])
        moves = np.stack([np.cos(bends), np.sin(bends)]) * (length / 3)
        path = np.concatenate([start[:, None], start[:, None] + np.cumsum(moves, axis=1)], axis=1)
        drawn = path * np.stack([mirror, np.ones_like(mirror)])[:, None]
        starts.append(drawn[:, :-1].reshape(2, -1))
        ends.append(drawn[:, 1:].reshape(2, -1))
        radii.append((radius * np.array([[1.0], [0.92], [0.84]])).ravel())
        split = rng.uniform(0.15, 0.75, len(angle))
        spread = rng.uniform((0.55, 0.85), (0.92, 1.10), (2 * len(angle), 2)).T
        angle = np.concatenate([bends[2] + split, bends[2] - 0.85 * split])
        start = np.concatenate([path[:, 3], path[:, 3]], axis=1)
        length = np.concatenate([length, length]) * spread[0]
        radius = np.concatenate([radius * 0.77, radius * 0.62]) * spread[1]
        keep = (start[0] < a.half_width * 1.02) & (start[1] < a.height * 1.02) & (radius > 0.0011)
        mirror = np.concatenate([mirror, mirror])[keep]
        angle, start, length, radius = angle[keep], start[:, keep], length[keep], radius[keep]
    size = np.array([[a.half_width], [a.height]])
    return np.concatenate(starts, 1) / size, np.concatenate(ends, 1) / size, np.concatenate(radii)
