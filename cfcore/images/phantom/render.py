"""Projection of a phantom patient: attenuation path lengths, scatter, film curve, noise.

Attenuation is summed along the beam (soft tissue - lung air + bone + devices, in units of about one
tissue half-value), turned into exposure exp(-A), veiled by scatter and read through a sigmoid film curve.
"""

import numpy as np
from scipy.interpolate import CubicSpline

from .bones import add_clavicles, add_ribs, add_scapulae, add_spine
from .factors import Patient
from .frame import Frame
from .geometry import LEFT, RIGHT, SIGN, U_HIGH, V_HIGH, Geometry, geometry, smoothstep
from .texture import quantum_noise, resample, texture, tubes, vessel_tree

Array = np.ndarray
SMALLEST, LARGEST = 64, 1024


def render(patient: Patient, size: int) -> Array:
    """Radiograph of a phantom patient.

    Args:
        patient: seed and factors.
        size: pixels a side, 64 to 1024. All sizes show the same patient: small ones look like area
            averages of large ones.

    Returns:
        (size, size) float32 in [0, 1], bright where attenuation is high.

    Raises:
        ValueError: size outside 64 to 1024.
    """
    if not isinstance(size, (int, np.integer)) or not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size must be a whole number from {SMALLEST} to {LARGEST} pixels, got {size!r}")
    fine = size * (2 if size < 400 else 1)
    shape = geometry(patient, 768 if size <= 128 else 6144)
    frame = Frame.of(shape, fine)
    attenuation = _attenuate(patient.seed, shape, frame)
    image = _expose(patient.seed, shape, frame, attenuation, size)
    return np.ascontiguousarray(np.clip(resample(image, size), 0.0, 1.0), dtype=np.float32)


def _attenuate(seed: int, g: Geometry, frame: Frame) -> Array:
    """Attenuation of everything in the beam."""
    a, f = g.anatomy, g.factors
    lung, tissue_share = _lungs(seed, g, frame)
    deep = 1.0 + 0.10 * f.build + 0.10 * f.barrel
    body = frame.by_v(np.maximum(g.body, 0.05))
    q = frame.u / body
    q2 = q * q
    total = np.sqrt(np.clip(1.0 - 0.24 * q2 - 0.76 * q2 * q2 * q2 * q2, 0.0, 1.0))
    total *= frame.by_v(2.55 * deep * a.depth * _thickness(g))
    _add_arms(g, frame, total)
    total *= 1.0 + texture(seed, frame.size, (0.018, 0.014, 0.010, 0.006, 0.004), channel=1)
    total -= lung * (1.0 - tissue_share)
    heart = _add_mediastinum(g, frame, total)
    add_spine(g, frame, total)
    add_ribs(g, frame, total)
    add_clavicles(g, frame, total)
    add_scapulae(g, frame, total)
    _add_vessels(seed, g, frame, total, lung * (1.0 - 0.7 * np.minimum(heart, 1.0)))
    _add_breasts(g, frame, total)
    _add_gas(g, frame, total)
    _add_metal(g, frame, total)
    return np.maximum(total, 0.0, out=total)


def _thickness(g: Geometry) -> Array:
    """Depth of the trunk by height: neck and shoulders are thinner than the abdomen."""
    v = g.v
    return 0.78 + 0.14 * smoothstep((v + 0.10) / 0.3) + 0.24 * smoothstep((v - 0.35) / 0.5)


def _lungs(seed: int, g: Geometry, frame: Frame) -> tuple[Array, Array]:
    """Thickness of the lungs along the beam and the share of tissue in them."""
    a, f = g.anatomy, g.factors
    u, v = frame.u, frame.v
    across = frame.abs_u
    outer, inner = frame.by_v(g.cage), frame.by_v(g.inner)
    half = np.maximum(0.5 * (outer - inner), 1e-3)
    q = (across - 0.5 * (outer + inner)) / half
    q2 = q * q
    profile = np.sqrt(np.clip(1.0 - q2 * q2, 0.0, 1.0))
    profile *= smoothstep(frame.by_v(smoothstep(g.v / 0.02)))
    dome = frame.by_u(g.dome)
    below = v - dome
    # The lung dips behind the dome: the posterior recess fades out below it.
    recess = 0.30 * np.exp(-np.maximum(below, 0.0) / 0.045)
    over = smoothstep(0.5 - below / (0.006 + 2.0 * frame.pitch))
    profile *= (over + (1.0 - over) * recess) * smoothstep(1.0 - (v - g.height + 0.01) / 0.05)
    if f.effusion_left > 0 or f.effusion_right > 0:
        surface = frame.by_u(g.fluid)
        depth = v - surface
        profile *= 1.0 - 0.96 * smoothstep(depth / 0.022 + 0.5)
        profile *= 1.0 - 0.25 * np.exp(-np.clip(-depth, 0.0, 1.0) / 0.05) * (surface < V_HIGH - 0.1)
    deep = 1.72 * a.depth * (1.0 + 0.14 * f.barrel)
    lung = profile * frame.by_v(deep * (0.55 + 0.45 * smoothstep(g.v / (0.45 * g.height))))

    share = (0.25 * (1.0 - 0.62 * f.lucency)) * (
        1.0 + texture(seed, frame.size, (0.10, 0.09, 0.09, 0.08, 0.07, 0.05, 0.03))
    )
    if f.congestion > 0:
        for side in (RIGHT, LEFT):
            hu, hv = SIGN[side] * float(a.hilum[side, 0]), float(a.hilum[side, 1])
            spread = np.exp(-(((u - hu) / 0.13) ** 2) - ((v - hv - 0.05) / 0.20) ** 2)
            share += 0.26 * f.congestion * spread
        share += 0.05 * f.congestion * (1.0 + 2.0 * texture(seed, frame.size, (0, 0, 0.2, 0.5, 0.5), channel=2))
    if f.opacity > 0:
        share += 0.85 * f.opacity * _infiltrate(seed, g, frame)
    if f.atelectasis > 0:
        share += 0.66 * f.atelectasis * _wedge(g, frame)
    return lung, np.clip(share, 0.03, 0.97)


def _infiltrate(seed: int, g: Geometry, frame: Frame) -> Array:
    """Patchy airspace opacity around its centre, 0 to 1."""
    f = g.factors
    sign = -1.0 if f.opacity_side == "right" else 1.0
    lateral, vertical = f.opacity_position
    cu = sign * g.width * (0.25 + 0.6 * lateral)
    cv = g.height * (0.14 + 0.66 * vertical)
    reach = 0.075 + 0.035 * f.opacity
    distance = ((frame.u - cu) / reach) ** 2 + ((frame.v - cv) / (1.1 * reach)) ** 2
    patches = texture(seed, frame.size, (0.15, 0.35, 0.35, 0.2, 0.1), channel=3)
    return smoothstep(np.exp(-0.5 * distance) * (1.0 + patches) * (sign * frame.u > 0.02))


def _wedge(g: Geometry, frame: Frame) -> Array:
    """Collapsed lower lobe: a triangle from the hilum to the medial diaphragm, 0 to 1."""
    f = g.factors
    side = LEFT if f.atelectasis_side == "left" else RIGHT
    sign = SIGN[side]
    top = 0.44 * g.height
    run = 0.055 + (0.34 - 0.10 * f.atelectasis) * np.clip(frame.v - top, 0.0, 1.0)
    border = smoothstep((run - sign * (frame.u - frame.by_v(g.shift))) / 0.03 + 0.5)
    return border * smoothstep((frame.v - top) / 0.10) * (sign * frame.u > -0.02)


def _add_arms(g: Geometry, frame: Frame, total: Array) -> None:
    a = g.anatomy
    for side in (RIGHT, LEFT):
        clearance, strength = a.arm[side].tolist()
        centre = g.width + a.body_wall + clearance + 0.03 + 0.13 * (g.v - 0.1)
        w = (SIGN[side] * frame.u - frame.by_v(centre)) / 0.062
        arm = np.sqrt(np.clip(1.0 - w * w, 0.0, 1.0)) * strength * smoothstep((frame.v - 0.10) / 0.25)
        bone = np.clip(1.0 - (w / 0.3) ** 2, 0.0, 1.0)
        total += 0.9 * arm + 0.25 * np.sqrt(bone) * (arm > 0)


def _add_mediastinum(g: Geometry, frame: Frame, total: Array) -> Array:
    """Heart, great vessels, aortic knob and descending aorta, trachea; returns the heart's share."""
    a, f = g.anatomy, g.factors
    elderly = max(0.0, f.age - 45.0) / 50.0
    um = frame.u - frame.by_v(g.shift)
    lowest = float(g.dome[:, : g.n // 4].min(1).mean())
    above = frame.by_v(smoothstep((lowest + 0.035 - g.v) / 0.09 + 0.5))
    solids = []
    for contour, strength, flat in ((g.heart, 0.93 * a.heart_depth, False), (g.pedicle, 0.62, True)):
        right, left = contour
        half = np.maximum(0.5 * (right + left), 1e-3)
        q = (um - frame.by_v(0.5 * (left - right))) * frame.by_v(1.0 / half)
        q2 = q * q
        q2 = q2 * q2 if flat else 0.45 * q2 + 0.55 * q2 * q2 * q2
        present = strength * np.minimum(1.0, half / 0.045)
        solids.append(np.sqrt(np.clip(1.0 - q2, 0.0, 1.0)) * frame.by_v(present))
    # One inside the other would add up to a white column: the deeper of the two counts.
    heart, pedicle = solids
    if f.effusion_left > 0 or f.effusion_right > 0:
        # Silhouette sign: no lung beside the heart, no border.
        heart *= 1.0 - 0.8 * smoothstep((frame.v - frame.by_u(g.fluid)) / 0.04 + 0.5)
    total += above * np.maximum(heart + 0.15 * pedicle, pedicle)
    kv, ku, radius = a.knob.tolist()
    radius = radius * (1.0 + 0.30 * elderly)
    ku = ku + 0.018 * elderly
    knob = ((um - ku) / radius) ** 2 + ((frame.v - kv) / (1.12 * radius)) ** 2
    total += 0.55 * np.sqrt(np.clip(1.0 - knob, 0.0, 1.0))
    if elderly > 0.3:
        ring = np.exp(-(((np.sqrt(knob) - 0.93) / 0.07) ** 2)) * (um > ku) * (frame.v < kv + 0.4 * radius)
        total += 0.45 * (elderly - 0.3) * ring
    descending = um - frame.by_v(0.028 + 0.016 * elderly * np.sin(np.clip((g.v - 0.15) / 0.5, 0, 1) * np.pi))
    w = descending / (0.030 * (1.0 + 0.2 * elderly))
    total += 0.22 * np.sqrt(np.clip(1.0 - w * w, 0.0, 1.0)) * frame.by_v(smoothstep((g.v - kv) / 0.05))
    width, offset = a.trachea
    tube = (um - frame.by_v(offset - 0.012 * elderly * smoothstep((g.v + 0.1) / 0.25))) / width
    carina = 0.275 * g.height
    open_ = frame.by_v(smoothstep((carina - g.v) / 0.03) * smoothstep((g.v + 0.28) / 0.08))
    total -= 0.62 * np.sqrt(np.clip(1.0 - tube * tube, 0.0, 1.0)) * open_
    for side in (RIGHT, LEFT):
        hu, hv, size = a.hilum[side].tolist()
        du = (um - SIGN[side] * hu * 0.92) / (0.030 * size)
        dv = (frame.v - hv) / (0.062 * size)
        total += (0.26 + 0.18 * f.congestion) * np.exp(-(du**2) - dv**2)
    return heart


def _add_vessels(seed: int, g: Geometry, frame: Frame, total: Array, lung: Array) -> None:
    f = g.factors
    starts, ends, radii = vessel_tree(seed)
    scale = np.array([[g.width], [g.height]])
    p, q = starts * scale, ends * scale
    upper = p[1] < g.anatomy.hilum[:, 1].mean()
    radii = radii * (1.0 + 0.40 * f.congestion + 0.45 * f.congestion * upper)
    centre = (0.5 * (p + q))[1]
    moved = np.interp(centre, g.v, g.shift) * np.exp(-np.abs(p[0]) / 0.25)
    p, q = p + np.stack([moved, 0 * moved]), q + np.stack([moved, 0 * moved])
    strength = np.full(len(radii), 15.0 * (1.0 - 0.45 * f.lucency))
    x = tubes(frame.place(p), frame.place(q), radii * g.anatomy.scale, strength, frame.size)
    total += 0.55 * np.tanh(x / 0.55) * np.minimum(lung * 1.1, 1.0)


def _add_breasts(g: Geometry, frame: Frame, total: Array) -> None:
    f = g.factors
    for side, (lateral, vertical, radius, thick) in enumerate(g.anatomy.breast.tolist()):
        thick = thick + 0.10 * max(f.build, 0.0)
        if thick < 0.02:
            continue
        cu, cv = SIGN[side] * lateral * g.width, vertical * g.height
        radius = radius * (1.0 + 0.10 * f.build)
        box = frame.window(cu - 1.3 * radius, cu + 1.3 * radius, cv - 1.6 * radius, cv + 1.1 * radius)
        if box is None:
            continue
        du, dv = (frame.u[box] - cu) / radius, (frame.v[box] - cv) / radius
        dv = np.where(dv < 0, dv * 0.72, dv)
        total[box] += thick * np.clip(1.0 - du**2 - dv**2, 0.0, 1.0) ** 0.5


def _add_gas(g: Geometry, frame: Frame, total: Array) -> None:
    """Gastric bubble under the left dome and bowel gas."""
    a = g.anatomy
    lateral, radius, strength = a.bubble[[0, 2, 3]].tolist()
    cv = float(np.interp(lateral, g.s, g.dome[LEFT])) + 0.8 * radius + 0.018
    spots = [(lateral, cv, radius, 0.8 * radius, strength)]
    spots += [
        (0.5 * (x - 0.5), g.height + 0.03 + 0.2 * y, 0.015 + 0.02 * r, 0.015 + 0.012 * r, 0.5 * s)
        for x, y, r, s in a.bowel.tolist()
    ]
    for cu, cv, ru, rv, amount in spots:
        if amount < 0.05:
            continue
        box = frame.window(cu - ru, cu + ru, cv - rv, cv + rv)
        if box is not None:
            d = ((frame.u[box] - cu) / ru) ** 2 + ((frame.v[box] - cv) / rv) ** 2
            total[box] -= amount * np.sqrt(np.clip(1.0 - d, 0.0, 1.0))


def _add_metal(g: Geometry, frame: Frame, total: Array) -> None:
    """Side marker, and the pacemaker with its lead."""
    a, f = g.anatomy, g.factors
    paths: list[tuple[Array, float, float]] = []
    if a.marker[3] > 0.5:
        x, y, s, _ = a.marker.tolist()
        stroke = np.array([[x, x, x + 0.55 * s], [y, y + s, y + s]])
        paths.append((stroke, 0.004, 260.0))
    if f.pacemaker:
        lateral, vertical, turn, size = a.pacemaker.tolist()
        cu, cv = lateral * g.width, vertical
        hu, hv = 0.043 * size, 0.036 * size
        box = frame.window(cu - 0.07, cu + 0.07, cv - 0.07, cv + 0.07)
        if box is not None:
            c, s = np.cos(turn), np.sin(turn)
            du, dv = frame.u[box] - cu, frame.v[box] - cv
            x, y = (c * du + s * dv) / hu, (-s * du + c * dv) / hv
            inside = x**4 + y**4
            soft = 1.5 * frame.pitch / hv
            total[box] += 2.1 * np.clip((1.0 - inside) / (4 * soft) + 0.5, 0.0, 1.0)
            total[box] += 0.5 * np.clip((0.55 - inside) / (4 * soft) + 0.5, 0.0, 1.0)
        top, bottom = g.heart_span
        pull = f.shift * g.width
        apex = np.array([0.35 * f.cardiothoracic_ratio * 2 * g.width + pull, top + 0.86 * (bottom - top)])
        knots = np.array(
            [
                [cu - hu * 0.6, cv - hv * 0.9],
                [cu - 0.06, cv - 0.075],
                [0.095 + 0.3 * pull, cv - 0.080],
                [0.0 + 0.7 * pull, cv - 0.045],
                [-0.050 + pull, cv + 0.05],
                [-0.050 + pull, top + 0.55 * (bottom - top)],
                [0.02 + pull, top + 0.80 * (bottom - top)],
                apex,
            ]
        ).T
        t = np.linspace(0, 7, 50)
        lead = CubicSpline(np.arange(8), knots, axis=1)(t)
        paths.append((frame.place(lead), 0.0026, 240.0))
        tip = lead[:, -3:]
        paths.append((frame.place(tip), 0.0048, 200.0))
    for points, radius, strength in paths:
        n = points.shape[1] - 1
        total += tubes(points[:, :-1], points[:, 1:], np.full(n, radius), np.full(n, strength), frame.size)


def _expose(seed: int, g: Geometry, frame: Frame, total: Array, size: int) -> Array:
    """Scatter, film curve, noise and collimation: attenuation to brightness in [0, 1]."""
    a, f = g.anatomy, g.factors
    primary = np.exp(-total)
    veil = a.scatter * frame.blur(primary) + 0.012
    signal = -np.log(primary + veil)
    noise = quantum_noise(seed, size)
    if frame.size != size:
        noise = np.repeat(np.repeat(noise, frame.size // size, 0), frame.size // size, 1)
    signal += a.quantum * noise * np.exp(0.30 * np.minimum(signal, 4.0))
    gx, gy = a.gradient
    signal += gx * (frame.x - 0.5) + gy * (frame.y - 0.5)
    centre = 1.26 + 0.16 * f.build + a.exposure
    steep = 1.50 * a.contrast
    image = 1.0 / (1.0 + np.exp(-steep * (signal - centre)))
    floor = 1.0 / (1.0 + np.exp(steep * (centre + 0.1)))
    image = (image - floor) / (0.985 - floor)
    left, right, up, down = a.collimation.tolist()
    pitch = 1.0 / frame.size
    if a.collimation.any():
        col = np.clip((frame.x - left) / pitch + 0.5, 0, 1) * np.clip((1 - right - frame.x) / pitch + 0.5, 0, 1)
        row = np.clip((frame.y - up) / pitch + 0.5, 0, 1) * np.clip((1 - down - frame.y) / pitch + 0.5, 0, 1)
        image *= row * col
    return image


__all__ = ["LARGEST", "SMALLEST", "U_HIGH", "render"]
