"""How a person stands in one photograph: the walking skeleton and the direction it is seen from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchreid_amd.datasets.synthetic.body.surface import Array
from torchreid_amd.datasets.synthetic.people.person import Person

SIDES = (1, -1)  #: left is +x in the person's own frame (right on the picture when seen from the front)


@dataclass(frozen=True)
class Pose:
    """One moment of a walk.

    Attributes:
        yaw: direction of walking in radians: 0 towards the camera, π/2 to the right, π away.
        phase: moment of the gait cycle in radians.
        stride: amplitude of the hips in radians (0 stands still).
        lean: forward lean in radians.
        turn: turn of the head against the body in radians.
        nod: share of the head height by which it is bowed.
        busy: side whose arm does something else than swing (0 none).
        task: 0–1, what it does: phone, pocket or chest.
    """

    yaw: float
    phase: float
    stride: float
    lean: float
    turn: float
    nod: float
    busy: int
    task: float


def draw_pose(rng: np.random.Generator, person: Person, heading: float) -> Pose:
    """A moment of this person's walk along ``heading`` (radians)."""
    u = rng.random(8)
    t = person.traits
    still = u[0] < 0.13
    return Pose(
        yaw=heading + float(np.clip(rng.normal(), -2, 2)) * 0.22,
        phase=2 * np.pi * u[1],
        stride=0.05 if still else np.radians(23) * t.gait * (0.7 + 0.4 * u[2]),
        lean=0.02 + 0.06 * u[3],
        turn=0.5 * (u[4] - 0.5) * (2.0 if u[5] < 0.2 else 0.7),
        nod=0.10 * u[6],
        busy=-t.bag_side if t.arm_mode < 0.12 or u[7] < 0.08 else 0,
        task=t.arm_mode / 0.12 if t.arm_mode < 0.12 else u[7] / 0.08,
    )


def skeleton(person: Person, pose: Pose) -> dict[str, Array]:
    """Joints in the person's frame: x left, y up, z forward, metres, lowest point at 0.

    Names end in ``+`` (left) or ``-`` (right). ``side(+1)`` of a joint is ``name + '+'``.
    """
    t = person.traits
    height = t.stature
    female = person.labels["gender"]
    hip_y = 0.515 * height * t.legs
    thigh, shank = 0.245 * height * t.legs, 0.228 * height * t.legs
    hip_x = (0.052 if female else 0.050) * height
    joints: dict[str, Array] = {}
    for side in SIDES:
        mark = "+" if side > 0 else "-"
        phase = pose.phase + (0 if side > 0 else np.pi)
        swing = pose.stride * np.cos(phase) + 0.04
        flex = 0.08 + min(pose.stride * 2.4, 1.0) * max(0.0, -np.sin(phase - 0.25)) ** 1.4
        wide = 0.02 + 0.03 * t.stance if pose.stride < 0.1 else -0.015 + 0.02 * t.stance
        hip = np.array([side * hip_x, hip_y, 0.0])
        knee = hip + thigh * np.array([side * wide, -np.cos(swing), np.sin(swing)])
        back = swing - flex
        ankle = knee + shank * np.array([0.0, -np.cos(back), np.sin(back)])
        tilt = 0.75 * min(back + 0.1, 0.35)
        c, s = np.cos(tilt), np.sin(tilt)
        toes = (
            np.array([side * (0.03 + 0.02 * t.stance), -0.040 * c + 0.108 * s, 0.040 * s + 0.108 * c])
            * height
        )
        heel = np.array([0.0, -0.040 * c - 0.024 * s, 0.040 * s - 0.024 * c]) * height
        joints |= {
            "hip" + mark: hip,
            "knee" + mark: knee,
            "ankle" + mark: ankle,
            "toe" + mark: ankle + toes * 0.9,
            "heel" + mark: ankle + heel,
        }
        joints |= _arm(person, pose, side, phase)
    low = min(joints[n + m][1] for n in ("toe", "heel") for m in "+-") - 0.02 * height
    for name, joint in joints.items():
        if name[:-1] in ("shoulder", "elbow", "wrist", "hand"):
            joint[2] += np.tan(pose.lean) * (joint[1] - hip_y) * 0.8
        joint[1] -= low
    joints["ground"] = np.array([0.0, low, 0.0])
    return joints


def _arm(person: Person, pose: Pose, side: int, phase: float) -> dict[str, Array]:
    t = person.traits
    height = t.stature
    female = person.labels["gender"]
    shoulder_x = (0.089 if female else 0.105) * height * t.shoulders
    swing = -0.75 * pose.stride * np.cos(phase) - 0.03
    bend = 0.18 + 0.3 * t.elbow + 0.5 * max(0.0, swing)
    away = 0.07 + 0.05 * t.stance + 0.05 * max(0.0, t.girth - 1)
    inward = 0.02
    if side == pose.busy:
        if pose.task < 0.35:  # phone before the chest
            swing, bend, inward = 0.22, 2.25, 0.35
        elif pose.task < 0.7:  # hand in a pocket
            swing, bend, inward, away = -0.25, 0.55, 0.02, 0.22
        else:  # holding a strap or something before the body
            swing, bend, inward = 0.15, 1.45, 0.35
    shoulder = np.array([side * shoulder_x, 0.784 * height, -0.005 * height])
    elbow = shoulder + 0.168 * height * _direction(swing, side * away)
    fore = _direction(swing + bend, side * (away * 0.3 - inward))
    wrist = elbow + 0.148 * height * fore
    mark = "+" if side > 0 else "-"
    return {
        "shoulder" + mark: shoulder,
        "elbow" + mark: elbow,
        "wrist" + mark: wrist,
        "hand" + mark: wrist + 0.062 * height * fore,
    }


def _direction(forward: float, aside: float) -> Array:
    direction: Array = np.array(
        [np.sin(aside), -np.cos(forward) * np.cos(aside), np.sin(forward) * np.cos(aside)]
    )
    return direction
