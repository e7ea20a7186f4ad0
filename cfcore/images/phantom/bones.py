"""Skeleton of a phantom patient: ribs, spine, clavicles, scapulae with humeral heads."""

import math

import numpy as np

from .frame import Frame
from .geometry import LEFT, RIGHT, SIGN, Geometry, smoothstep
from .texture import tubes

Array = np.ndarray
RIB_LOW, RIB_HIGH = -0.30, 1.20
RIBS = 12


def bone_density(age: float) -> float:
    """Bone attenuation relative to a 45-year-old."""
    return 1.0 - 0.30 * max(0.0, age - 45.0) / 50.0


def _tube_profile(t: Array, cortex: float) -> Array:
    """Attenuation across a bone, t from -1 to 1: dense shell, spongy inside."""
    shell = np.sqrt(np.clip(1.0 - t * t, 0.0, 1.0))
    hollow = np.sqrt(np.clip((1.0 - cortex) ** 2 - t * t, 0.0, 1.0))
    return shell - 0.62 * hollow


def rib_table(g: Geometry, pitch: float) -> Array:
    """(4, n) rib attenuation over the height at the spine: right and left posterior, right and left anterior."""
    a = g.anatomy
    n = 1024 if g.n <= 1024 else 8192
    grid = np.linspace(RIB_LOW, RIB_HIGH, n)
    step = grid[1] - grid[0]
    tables = np.zeros((4, n))
    half = int(0.022 / step)
    near = np.arange(-half, half + 1)
    for part in range(2):
        offset = near * (step / (a.rib_width * (1.12 if part else 1.0)))
        profile = _tube_profile(offset, 0.16) * (1.0 + 0.18 * offset)
        for side in (RIGHT, LEFT):
            for rib in range(RIBS):
                centre = -0.045 + rib * a.rib_spacing + a.rib_offsets[side, part, rib]
                at = round((centre - RIB_LOW) / step) - half
                tables[2 * part + side, at : at + len(near)] += a.rib_strength[side, part, rib] * profile
    box = max(1, round(pitch / step))
    if box > 1:
        total = np.cumsum(np.pad(tables, ((0, 0), (box, box))), axis=1)
        tables = ((total[:, box:] - total[:, :-box]) / box)[:, box // 2 : box // 2 + n]
    return tables.astype(np.float32)


def rib_arcs(g: Geometry, frame: Frame) -> tuple[Array, Array, Array, Array]:
    """Height at the spine of the posterior and the anterior rib through each pixel, the cosine of the
    angle between rib and beam plane, and the lateral position (1 at the edge of the cage)."""
    a, f = g.anatomy, g.factors
    # Turning the trunk moves the spine against the sternum but hardly the edges of the cage.
    turned = np.float32(a.yaw) * np.maximum(1.0 - frame.abs_u / np.float32(g.width), 0.0)
    s = np.abs(frame.u - turned) / frame.by_v(g.ribcage)
    c = np.sqrt(np.clip(1.0 - s * s, 0.0, 1.0))
    crowd = 1.0 - 0.25 * f.barrel
    t0, t1 = a.rib_tilt[0] * crowd + 0.035, a.rib_tilt[1] * crowd + 0.08
    back, front = 0.5 * (1.0 - c), 0.5 * (1.0 + c)
    hump = 0.022 * np.sin(np.pi * np.minimum(s * 1.25, 1.0))
    posterior = (frame.v + hump - t0 * back * 1.1) / (1.0 + t1 * back * 1.1)
    anterior = (frame.v - t0 * front * 1.1) / (1.0 + t1 * front * 1.1)
    return posterior, anterior, c, s


def add_ribs(g: Geometry, frame: Frame, total: Array) -> None:
    """Posterior and anterior rib arcs."""
    posterior, anterior, c, s = rib_arcs(g, frame)
    table = rib_table(g, frame.pitch)
    n = table.shape[1]
    scale = (n - 1) / (RIB_HIGH - RIB_LOW)
    side = np.where(frame.u < g.anatomy.yaw, 0, n)
    inside = np.clip((1.0 - s) * frame.by_v(g.ribcage) / frame.pitch + 0.5, 0.0, 1.0)
    top, bottom = smoothstep((g.v + 0.045) / 0.10), smoothstep((g.v - g.height + 0.08) / 0.15)
    grazing = inside / np.sqrt(c * c + 0.14) * frame.by_v(top * (1.0 - 0.6 * bottom))
    density = bone_density(g.factors.age)
    flat = table.ravel()
    index = ((posterior - RIB_LOW) * scale + 0.5).astype(np.intp)
    np.clip(index, 0, n - 1, out=index)
    total += (0.36 * density) * flat.take(index + side) * grazing * smoothstep((s - 0.08) / 0.08)
    index = ((anterior - RIB_LOW) * scale + 0.5).astype(np.intp)
    np.clip(index, 0, n - 1, out=index)
    ends = smoothstep((s - 0.42) / 0.22) * smoothstep((0.62 * g.height - anterior) / 0.1)
    total += (0.27 * density) * flat.take(index + side + 2 * n) * grazing * ends
    # Intercostal muscle and pleura seen edge-on.
    rim = np.exp(-(((s - 1.0) * frame.by_v(g.ribcage) / 0.010) ** 2))
    total += 0.16 * rim * frame.by_v(smoothstep((g.v - 0.02) / 0.1) * smoothstep((g.height + 0.12 - g.v) / 0.1))


def add_spine(g: Geometry, frame: Frame, total: Array) -> None:
    """Vertebral bodies with disc spaces, pedicles and spinous processes."""
    a, f = g.anatomy, g.factors
    density = bone_density(f.age)
    u = frame.u - frame.by_v(g.midline) - np.float32(0.5 * a.yaw)
    box_u = frame.window(-0.13, 0.13, -0.45, 1.3)
    if box_u is None:
        return
    u, v = u[box_u], frame.v[box_u]
    pitch = 0.0405 + 0.016 * v
    phase = (v + 0.008) / pitch
    phase = phase - np.floor(phase)
    waist = 1.0 - 0.13 * np.sin(np.pi * phase)
    half = a.vertebra * (0.80 + 0.35 * np.clip(v + 0.1, 0, 1.1)) * waist
    q2 = (u / half) ** 2
    bone = np.sqrt(np.clip(1.0 - 0.6 * q2 - 0.4 * q2 * q2, 0.0, 1.0))
    edge = np.minimum(phase, 1.0 - phase)
    disc = smoothstep(edge / 0.10)
    plate = np.exp(-(((edge - 0.13) / 0.045) ** 2))
    body = 0.13 + 0.14 * disc + 0.12 * plate
    pedicle = np.exp(-((np.abs(u) / half - 0.62) ** 2) / 0.022 - ((phase - 0.40) / 0.16) ** 2)
    spinous = np.exp(-((u / 0.008) ** 2) - ((phase - 0.72) / 0.17) ** 2)
    total[box_u] += density * (bone * body + 0.20 * pedicle + 0.26 * spinous)


def add_clavicles(g: Geometry, frame: Frame, total: Array) -> None:
    """S-shaped clavicles from the sternum to the shoulders."""
    density = bone_density(g.factors.age)
    for side in (RIGHT, LEFT):
        found = clavicle(g, frame, side)
        if found is None:
            continue
        box, along, t = found
        ends = np.clip(along / 0.03, 0, 1) * np.clip((1.0 - along) / 0.04, 0, 1)
        total[box] += 0.66 * density * _tube_profile(t, 0.22) * ends


def clavicle(g: Geometry, frame: Frame, side: int) -> tuple[tuple[slice, slice], Array, Array] | None:
    """Pixels around a clavicle, and there the share of its length (0 medial) and of its half-width."""
    height, slope, bow, width = g.anatomy.clavicle[side].tolist()
    sign = SIGN[side]
    span = (0.022, g.width + 0.13)
    near, far = sorted((sign * 0.01, sign * (span[1] + 0.02)))
    box = frame.window(near, far, height - 0.17, height + 0.10)
    if box is None:
        return None
    along = (sign * frame.u[box] - span[0]) / (span[1] - span[0])
    centre = height + slope * (span[1] - span[0]) * along - bow * np.sin(2 * np.pi * along)
    thick = width * (1.0 + 0.42 * (2 * along - 0.9) ** 2)
    return box, along, (frame.v[box] - centre) / thick


def add_scapulae(g: Geometry, frame: Frame, total: Array) -> None:
    """Blade with dense borders, spine to the acromion, glenoid and humeral head."""
    density = bone_density(g.factors.age)
    starts, ends, radii, strength = [], [], [], []
    for side in (RIGHT, LEFT):
        corner = scapula_corners(g, side)
        superior, inferior, glenoid, acromion, head = corner
        box = frame.window(*_bounds(corner))
        if box is None:
            continue
        u, v = frame.u[box], frame.v[box]
        blade = _blade(u, v, (superior, inferior, glenoid), side)
        total[box] += 0.20 * density * blade
        r = 0.047
        d = ((u - float(head[0])) ** 2 + (v - float(head[1])) ** 2) / r**2
        cortex = np.exp(-(((np.sqrt(d) - 0.93) / 0.05) ** 2))
        total[box] += 0.38 * density * (np.sqrt(np.clip(1 - d, 0, 1)) + 0.3 * cortex)
        for p, q, radius, weight in (
            (inferior, glenoid, 0.0055, 22.0),
            (superior, inferior, 0.0025, 25.0),
            (superior + 0.25 * (inferior - superior), acromion, 0.0085, 15.0),
            (acromion, acromion + np.array([SIGN[side] * 0.05, 0.012]), 0.013, 13.0),
        ):
            starts.append(p)
            ends.append(q)
            radii.append(radius)
            strength.append(weight * density)
    if radii:
        p, q = frame.place(np.array(starts).T), frame.place(np.array(ends).T)
        total += tubes(p, q, np.array(radii), np.array(strength), frame.size, hollow=True)


def _blade(u: Array, v: Array, corners: tuple[Array, Array, Array], side: int) -> Array:
    """Triangle with soft edges, 0 to 1."""
    blade = np.ones_like(u)
    for p, q in zip(corners, (*corners[1:], corners[0]), strict=True):
        across, down = float(q[1] - p[1]) * SIGN[side], float(p[0] - q[0]) * SIGN[side]
        offset = across * float(p[0]) + down * float(p[1])
        distance = (u * across + v * down - offset) / math.hypot(across, down)
        blade *= smoothstep(distance / 0.012 + 0.5)
    return blade


def scapula_mask(g: Geometry, frame: Frame, side: int) -> Array:
    """Blade, scapular spine and acromion of one side."""
    superior, inferior, glenoid, acromion, _head = scapula_corners(g, side)
    mask = _blade(frame.u, frame.v, (superior, inferior, glenoid), side) > 0.5
    for p, q, radius in (
        (superior + 0.25 * (inferior - superior), acromion, 0.0085),
        (acromion, acromion + np.array([SIGN[side] * 0.05, 0.012]), 0.013),
    ):
        (du, dv), (pu, pv) = (q - p).tolist(), p.tolist()
        t = np.clip(((frame.u - pu) * du + (frame.v - pv) * dv) / (du * du + dv * dv), 0.0, 1.0)
        mask |= np.hypot(frame.u - pu - t * du, frame.v - pv - t * dv) < radius
    return mask


def scapula_corners(g: Geometry, side: int) -> list[Array]:
    """Superior angle, inferior angle, glenoid, acromion and humeral head in patient coordinates."""
    lateral, vertical, turn, size = g.anatomy.scapula[side]
    base = np.array([[0.0, 0.0], [0.045, 0.30], [0.135, 0.075], [0.140, -0.015], [0.190, 0.085]]) * size
    c, s = np.cos(turn), np.sin(turn)
    turned = np.stack([c * base[:, 0] - s * base[:, 1], s * base[:, 0] + c * base[:, 1]], 1)
    turned = turned + np.array([lateral * g.width - 0.03, vertical])
    turned[:, 0] *= SIGN[side]
    return list(turned)


def _bounds(corners: list[Array]) -> tuple[float, float, float, float]:
    low, high = np.min(corners, 0) - 0.06, np.max(corners, 0) + 0.06
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])
