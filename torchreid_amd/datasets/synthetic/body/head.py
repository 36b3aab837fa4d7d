"""Head, hair and hats."""

from __future__ import annotations

import numpy as np

from torchreid_amd.datasets.synthetic.body.frame import Frame
from torchreid_amd.datasets.synthetic.body.parts import Part
from torchreid_amd.datasets.synthetic.body.surface import Array, Parts


def head_sections(f: Frame) -> tuple[Array, Array, Array, Array]:
    """Like :func:`torso_sections`, for the head from crown to chin."""
    k = 1.06 * f.person.traits.head * f.person.traits.stature / 1.75
    q = np.array([1.0, 0.985, 0.94, 0.85, 0.7, 0.45, 0.15, -0.2, -0.5, -0.75, -0.92, -1.0])
    a = np.array([0.001, 0.017, 0.031, 0.046, 0.060, 0.072, 0.0765, 0.073, 0.064, 0.050, 0.032, 0.004]) * k
    b = np.array([0.001, 0.021, 0.040, 0.060, 0.077, 0.092, 0.098, 0.093, 0.080, 0.062, 0.042, 0.006]) * k
    forward = (
        np.array([-0.012, -0.011, -0.01, -0.008, -0.006, -0.002, 0, 0.002, 0.010, 0.022, 0.032, 0.040]) * k
    )
    y = 0.928 - 0.5 * f.pose.nod * 0.03 + q * 0.069 * f.person.traits.head
    return y, a, b, forward + 0.012 + 0.10 * f.pose.nod * (q + 1) * 0.3


def draw_head(f: Frame) -> None:
    """Neck, face and hair."""
    t, labels, s = f.person.traits, f.person.labels, f.surfaces
    k = t.head * t.stature / 1.75
    y, a, b, forward = head_sections(f)
    turn, slim = f.pose.turn, 0.82 if labels["gender"] else 1.0
    nape, skull = f.at(f.section([0.825])[0], f.section([0.90], 0.005)[0])
    s.tube(nape, skull, [0.058 * k * slim, 0.051 * k * slim], Part.NECK)
    centres = f.section(y, forward)
    middle, half = float(centres[:, 1].mean()), float(centres[0, 1] - centres[-1, 1]) / 2

    def face(angle: Array, height: Array) -> Parts:
        parts = np.full(angle.shape, Part.FACE, np.uint8)
        if t.glasses:
            q = (height - middle) / half
            parts[(np.abs(q - 0.02) < 0.13) & (np.abs(angle) < 1.25) & (np.abs(angle) > 0.1)] = Part.GLASSES
        return parts

    s.loft(f.view, centres, a, b, face, yaw=turn)
    c, w = np.cos(turn), np.sin(turn)
    ahead, height = b[6] * np.array([0.93, 1.02]), centres[6, 1] + np.array([0.004, -0.030 * k])
    nose = np.stack([ahead * w, height, ahead * c + centres[6, 2]], 1)
    p = f.at(*nose)
    s.tube(p[0], p[1], [0.008 * k, 0.014 * k], Part.FACE, start=float(nose[0, 1]))
    long = labels["hair"]
    line = 0.50 + 0.18 * t.hair_style

    def cap(angle: Array, height: Array) -> Parts:
        q = (height - middle) / half
        round_ = np.abs(angle)
        low = np.where(round_ < 0.9, line, np.where(round_ < 1.55, line - (round_ - 0.9) * 1.3, -0.30))
        if not long:
            low = np.where(round_ > 1.75, -0.42 + 0.25 * (t.hair_length - 0.5), low)
        else:
            low = np.where(round_ > 1.35, -0.7, low)
        return np.where(q > low, np.uint8(Part.HAIR), np.uint8(0))

    volume = (1.05 + 0.07 * t.hair_style) if not long else 1.07
    up = 0.008 * k * (1 + t.hair_style)
    centres_up = centres + np.array([0.0, up, -0.004 * k])
    s.loft(f.view, centres_up, a * volume + 0.002, b * volume + 0.002, cap, yaw=turn)
    if long:
        _long_hair(f, k)


def _long_hair(f: Frame, k: float) -> None:
    t = f.person.traits
    if t.hair_style < 0.30:  # a ponytail
        root = f.section([0.955], -0.100 * k)[0]
        bend = f.section([0.915], -0.150 * k)[0]
        tip = f.section([0.835 - 0.05 * t.hair_length], -0.125 * k)[0]
        sway = 0.02 * np.sin(f.pose.phase)
        tip[0] += sway
        p = f.at(root, bend, tip)
        f.surfaces.tube(p[0], p[1], [0.026 * k, 0.034 * k], Part.HAIR)
        f.surfaces.tube(p[1], p[2], [0.034 * k, 0.036 * k, 0.012 * k], Part.HAIR)
        return
    end = 0.835 - 0.11 * t.hair_length
    y = np.array([0.985, 0.965, 0.93, 0.89, 0.85, (0.85 + end) / 2, end + 0.016, end])
    full = 1 + 0.18 * t.hair_style
    a = np.array([0.030, 0.066, 0.084, 0.087, 0.090, 0.088, 0.066, 0.030]) * k * full
    b = np.array([0.030, 0.058, 0.072, 0.068, 0.058, 0.046, 0.034, 0.016]) * k * full
    back = np.array([-0.02, -0.026, -0.032, -0.042, -0.058, -0.086, -0.098, -0.100]) * k
    f.surfaces.loft(f.view, f.section(y, back), a, b, Part.HAIR, yaw=f.pose.turn * 0.4,
                    pleats=(9.0, 0.3, 6.28 * t.folds[0]))  # fmt: skip


def draw_hat(f: Frame) -> None:
    """A cap with a visor, a hat with a brim all round, or a knitted cap, as the trait says."""
    t = f.person.traits
    k = t.head * t.stature / 1.75
    y, a, b, forward = head_sections(f)
    kind = "cap" if t.hat_style < 0.5 else "brim" if t.hat_style < 0.8 else "knitted"
    crown = y[4 if kind != "knitted" else 5]
    yy = np.append(y[y > crown], crown)
    grow = {"cap": 1.16, "brim": 1.18, "knitted": 1.17}[kind]
    aa, bb, ff = (np.interp(-yy, -y, v) for v in (a, b, forward))
    rise = np.linspace(0.022, 0.0, len(yy)) * (1.3 if kind == "brim" else 1.0)
    low = f.joints["ground"][1]
    edge = (crown + 0.014) * t.stature - low

    def paint(angle: Array, height: Array) -> Parts:
        band = (height < edge) & (kind != "cap")
        return np.where(band, np.uint8(Part.BRIM), np.uint8(Part.HAT))

    centres, aa, bb = f.section(yy + rise - 0.004, ff - 0.003 * k), aa * grow + 0.004, bb * grow + 0.004
    f.surfaces.loft(f.view, centres, aa, bb, paint, yaw=f.pose.turn, curved_hem=True, lift=0.012)
    if kind == "knitted":
        return
    c, s = np.cos(f.pose.turn), np.sin(f.pose.turn)
    base = f.section([crown - 0.002], float(ff[-1]))[0]
    reach, spread = (0.115, 0.060) if kind == "cap" else (0.0, 0.0)
    if kind == "cap":
        for across in np.linspace(-1, 1, 5):
            x, z = across * spread * k, (0.07 + reach * (1 - 0.35 * across * across)) * k
            tip = base + np.array([x * c + z * s, -0.022 * k, z * c - x * s])
            z0 = 0.06 * k
            root = base + np.array([x * c + z0 * s, 0.0, z0 * c - x * s])
            p = f.at(root, tip)
            f.surfaces.tube(p[0], p[1], [0.016 * k, 0.012 * k], Part.BRIM, lift=0.012)
        return
    centres = base + np.array([[0.0, 0.010, 0.0], [0.0, 0.002, 0.0], [0.0, -0.006, 0.0], [0.0, -0.012, 0.0]])
    radius = np.array([0.10, 0.140, 0.150, 0.148]) * k
    f.surfaces.loft(f.view, centres, radius, radius * 1.1, Part.BRIM, curved_hem=True, lift=0.006)
