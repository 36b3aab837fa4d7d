"""Drawing one person: body and clothes."""

from __future__ import annotations

import numpy as np

from torchreid_amd.datasets.synthetic.body.carried import draw_backpack, draw_bag, draw_handbag
from torchreid_amd.datasets.synthetic.body.frame import Frame
from torchreid_amd.datasets.synthetic.body.head import draw_hat, draw_head
from torchreid_amd.datasets.synthetic.body.parts import Part
from torchreid_amd.datasets.synthetic.body.pose import Pose, skeleton
from torchreid_amd.datasets.synthetic.body.surface import Array, Parts, Surfaces, View
from torchreid_amd.datasets.synthetic.people.person import Person


def draw_person(surfaces: Surfaces, person: Person, pose: Pose, view: View) -> Frame:
    """Draw a person with everything worn and carried."""
    joints = skeleton(person, pose)
    names = list(joints)
    projected = view.project(np.stack([joints[n] for n in names]))
    frame = Frame(person, pose, view, surfaces, joints, dict(zip(names, projected, strict=True)))
    _legs(frame)
    _lower_garment(frame)
    _torso(frame)
    _arms(frame)
    draw_head(frame)
    if person.labels["hat"]:
        draw_hat(frame)
    if person.labels["backpack"]:
        draw_backpack(frame)
    if person.labels["bag"]:
        draw_bag(frame)
    if person.labels["handbag"]:
        draw_handbag(frame)
    return frame


def _legs(f: Frame) -> None:
    t, labels, s = f.person.traits, f.person.labels, f.surfaces
    short, pants = labels["down"], labels["clothes"]
    girth, h = t.girth, t.stature / 1.75
    bare = short or not pants
    ease = {
        "skinny": (0.004, 0.004),
        "straight": (0.016, 0.020),
        "loose": (0.026, 0.038),
        "tapered": (0.018, 0.010),
    }
    knee_ease, hem_ease = ease[t.cut]
    for mark in "+-":
        hip, knee, ankle = (f.points[n + mark] for n in ("hip", "knee", "ankle"))
        knee_r, ankle_r = 0.052 * h * girth, 0.036 * h
        thigh = np.array([0.088, 0.082, 0.070]) * h * girth
        calf = [knee_r, 0.054 * h * girth, 0.049 * h * girth, 0.038 * h, ankle_r]
        if bare:
            s.tube(hip, knee, [*thigh, knee_r], Part.THIGH_SKIN, lift=-0.040)
            s.tube(knee, ankle, calf, Part.SHANK_SKIN)
            if t.socks < 0.4:
                s.tube(
                    knee + (ankle - knee) * (0.86 - t.socks * 0.5),
                    ankle,
                    [0.043 * h, 0.041 * h],
                    Part.SOCK,
                    lift=0.006,
                )
        if pants:
            top = [*(thigh + 0.006), knee_r + knee_ease]
            if short:
                end = 0.62 + 0.42 * t.shorts
                wide = [*(thigh + 0.010), 0.082 * h + 0.022 * t.fit + 0.008 * (girth - 1)]
                below = knee + (ankle - knee) * max(end - 1, 0)
                edge = hip + (knee - hip) * end if end < 1 else below
                s.tube(hip, edge, wide, Part.THIGH_CLOTH, flat=True, lift=-0.030)
            else:
                s.tube(hip, knee, top, Part.THIGH_CLOTH, lift=-0.024)
                low = ankle + (f.points["heel" + mark] - ankle) * 0.45
                s.tube(knee, low, [knee_r + knee_ease, calf[1] + knee_ease, ankle_r + 0.012 + hem_ease],
                       Part.SHANK_CLOTH, flat=True, lift=0.006, start=0.42)  # fmt: skip
        _shoe(f, mark)


def _shoe(f: Frame, mark: str) -> None:
    h = f.person.traits.stature / 1.75
    heel, toe, ankle = (f.joints[n + mark] for n in ("heel", "toe", "ankle"))
    up = np.array([0.0, 0.018 * h, 0.0])
    p = f.at(heel + up, toe + up * 0.8, ankle, heel - up * 0.4, toe - up * 0.5)
    s = f.surfaces
    s.tube(p[3], p[4], [0.034 * h, 0.037 * h, 0.037 * h, 0.028 * h], Part.SOLE)
    s.tube(p[0], p[1], [0.037 * h, 0.040 * h, 0.038 * h, 0.026 * h], Part.SHOE, lift=0.006)
    s.tube(p[2], p[0], [0.037 * h, 0.040 * h], Part.SHOE)


def _lower_garment(f: Frame) -> None:
    t, labels = f.person.traits, f.person.labels
    girth, h = t.girth, t.stature / 1.75
    female = labels["gender"]
    hips = (0.180 if female else 0.162) * h * girth
    waist = (0.132 if female else 0.150) * h * girth
    if labels["clothes"]:
        y = np.array([0.625, 0.60, 0.56, 0.52, 0.485, 0.462])
        a = np.array([waist, waist * 1.02, hips * 0.96, hips, hips * 0.95, hips * 0.62])
        b = np.array([0.098, 0.104, 0.116, 0.118, 0.098, 0.052]) * h * girth
        f.surfaces.loft(f.view, f.section(y), a + 0.006, b + 0.004, Part.SEAT, lift=-0.020)
        return
    knee = 0.285
    hem = knee + 0.02 + 0.13 * t.skirt if labels["down"] else knee - 0.07 - 0.13 * t.skirt
    y = (
        np.array([0.635, 0.60, 0.56, 0.52, 0.46, 0.38, hem - 0.001, hem - 0.002])
        if hem < 0.37
        else np.array([0.635, 0.60, 0.56, 0.52, 0.46, hem])
    )
    flare = 0.02 + 0.10 * t.flare
    spread = max(abs(f.joints["knee" + m][2]) for m in "+-")
    drop = np.clip((0.56 - y) / 0.28, 0, 1.5)
    a = np.interp(-y, [-0.635, -0.60, -0.56, -0.52], [waist, waist * 1.03, hips * 0.97, hips]) + 0.008
    b = np.interp(-y, [-0.635, -0.60, -0.56, -0.52], [0.098, 0.106, 0.118, 0.122]) * h * girth
    a, b = a + flare * drop, b + (flare * 0.8 + 0.35 * spread) * drop
    low = (knee + 0.01) * t.stature - f.joints["ground"][1]

    def paint(angle: Array, height: Array) -> Parts:
        return np.where(height < low, np.uint8(Part.SKIRT_LOW), np.uint8(Part.SKIRT))

    pleats = (5.0 + int(t.folds[0] * 9), 0.25 + 0.35 * t.flare, 6.28 * t.folds[1] + f.pose.phase)
    f.surfaces.loft(f.view, f.section(y), a, b, paint, curved_hem=True, lift=-0.012, pleats=pleats)


def torso_sections(f: Frame) -> tuple[Array, Array, Array, Array]:
    """Heights (shares of the stature), half widths, half depths and forward shifts of the dressed torso."""
    t, female = f.person.traits, f.person.labels["gender"]
    girth, h = t.girth, t.stature / 1.75
    sw = (0.089 if female else 0.105) * 1.75 * t.shoulders
    y = np.array([0.850, 0.838, 0.826, 0.810, 0.785, 0.745, 0.69, 0.63, 0.58, 0.53, 0.47])
    loose = 0.004 + 0.022 * t.fit + (0.0 if female else 0.006)
    a = np.array([0.050, 0.074, 0.118, sw * 0.90, sw * 1.06, sw * 0.93, 0.150, 0.140, 0.158, 0.170, 0.172])
    b = np.array([0.048, 0.062, 0.076, 0.088, 0.102, 0.116, 0.110, 0.104, 0.112, 0.120, 0.116])
    if female:
        a += np.array([0, 0, 0, 0, 0, -0.008, -0.024, -0.024, 0.000, 0.014, 0.018])
        b += np.array([0, 0, 0, 0, 0.008, 0.022, 0.008, -0.008, 0.0, 0.008, 0.0])
    wide = np.array([0, 0, 0, 0, 0.2, 0.6, 1, 1, 1, 1, 1.0])
    a = a * (1 + (girth - 1) * wide) + loose * wide
    b = b * (1 + (girth - 1) * np.maximum(wide, 0.4)) + loose * wide * 0.8
    forward = np.array([-0.012, -0.012, -0.01, -0.006, 0, 0.006, 0.004, 0, 0, 0, 0.0])
    if female:
        forward[4:6] += 0.010
    return y, a * h, b * h, forward


def _torso(f: Frame) -> None:
    t, labels = f.person.traits, f.person.labels
    y, a, b, forward = torso_sections(f)
    tucked = 0 <= t.hem < 0.22  # below 0 is a coat
    hem = 0.585 if tucked else 0.475 + 0.055 * t.hem
    keep = y > hem
    y2 = np.append(y[keep], [hem + 0.0005, hem])
    a2, b2, forward2 = (np.interp(-y2, -y, k) for k in (a, b, forward))
    if tucked:
        a2, b2 = a2 - 0.004, b2 - 0.004
    h, low = t.stature, f.joints["ground"][1]
    neck = np.float32(0.833 * h - low)
    vee = 0.05 * t.collar if t.collar > 0.5 else 0.012
    strap_x = 0.085 * h / 1.75

    def paint(angle: Array, height: Array) -> Parts:
        parts = np.full(angle.shape, Part.TORSO, np.uint8)
        depth = vee * np.clip(1 - np.abs(angle) / 0.75, 0, 1)
        parts[height > neck - depth * h] = Part.CHEST_SKIN
        across = np.sin(angle) * np.interp(height, centres[::-1, 1], a2[::-1])
        if labels["backpack"]:
            held = (np.abs(np.abs(across) - strap_x) < 0.021) & (height > 0.655 * h - low)
            parts[held & ((np.cos(angle) > 0) | (height > 0.80 * h - low))] = Part.PACK_STRAP
        if labels["bag"]:
            side = t.bag_side
            from_x = (-side if t.bag_cross else side) * 0.075 * h / 1.75
            to_x = side * 0.17 * h / 1.75
            down = np.clip((0.825 * h - low - height) / (0.27 * h), 0, 1.2)
            line = np.abs(across - (from_x + (to_x - from_x) * down))
            parts[line < (0.018 if t.bag_cross else 0.014)] = Part.BAG_STRAP
        return parts

    centres = f.section(y2, forward2)
    f.surfaces.loft(f.view, centres, a2, b2, paint, curved_hem=True, lift=0.009 if not tucked else 0.003)


def _arms(f: Frame) -> None:
    t, labels, s = f.person.traits, f.person.labels, f.surfaces
    h = t.stature / 1.75
    girth = (t.girth if labels["gender"] else t.girth * 1.08) * 0.5 + 0.5
    upper = np.array([0.054, 0.050, 0.043]) * h * girth * (0.86 if labels["gender"] else 1.0)
    fore = np.array([0.041, 0.039, 0.029]) * h * girth
    ease = 0.006 + 0.012 * t.fit
    for mark in "+-":
        shoulder, elbow, wrist, hand = (f.points[n + mark] for n in ("shoulder", "elbow", "wrist", "hand"))
        s.tube(wrist, wrist + (hand - wrist) * 0.75, [0.030 * h, 0.036 * h, 0.026 * h], Part.HAND)
        if labels["up"]:
            s.tube(shoulder + (elbow - shoulder) * 0.3, elbow, list(upper[1:]), Part.ARM_UPPER)
            s.tube(elbow, wrist, list(fore), Part.ARM_FORE)
            end = 0.38 + 0.5 * t.sleeve
            sleeve = [upper[0] * 0.95, upper[0] + ease * 0.4 + 0.002, upper[1] + ease * 0.7 + 0.008]
            hem = shoulder + (elbow - shoulder) * end
            s.tube(
                shoulder, hem, [*sleeve, upper[1] + ease + 0.009], Part.SLEEVE_UPPER, flat=True, lift=0.006
            )
        else:
            s.tube(
                shoulder,
                elbow,
                list(upper + np.array([0.1, 0.7, 1]) * ease + 0.002),
                Part.SLEEVE_UPPER,
                lift=0.006,
            )
            cuff, wide = wrist + (hand - wrist) * 0.1, list(fore + ease + 0.005)
            s.tube(elbow, cuff, wide, Part.SLEEVE_FORE, flat=True, lift=0.006, start=0.3)
