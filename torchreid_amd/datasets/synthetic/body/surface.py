"""A small surface renderer: tubes and lofts drawn into depth, normal and texture planes.

Orthographic view with a pitch and a slight growth with height (a camera above the street).
Everything is in picture pixels once projected; y points down in planes and normals point up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Parts = npt.NDArray[np.uint8]
#: decides the part of each surface point from (angle around, height in metres), 0 leaves a hole
Painter = Callable[[Array, Array], Parts]


@dataclass(frozen=True)
class View:
    """Where a person's metres fall on the canvas.

    Attributes:
        yaw: direction of walking, see :class:`Pose`.
        pitch: how far the camera looks down, radians.
        scale: canvas pixels in a metre at half height.
        x: canvas column of the person's axis.
        y: canvas row of the ground under it.
        growth: relative growth from feet to head.
        stature: metres, to which ``growth`` refers.
    """

    yaw: float
    pitch: float
    scale: float
    x: float
    y: float
    growth: float
    stature: float

    def project(self, points: Array, yaw: float = 0.0) -> Array:
        """``(n, 3)`` metres to ``(n, 4)`` column, row, depth (towards the camera), pixels per metre."""
        c, s = np.cos(self.yaw + yaw), np.sin(self.yaw + yaw)
        x = points[:, 0] * c + points[:, 2] * s
        z = points[:, 2] * c - points[:, 0] * s
        y = points[:, 1]
        grow = self.scale * (1 + self.growth * (y / self.stature - 0.5))
        cp, sp = np.cos(self.pitch), np.sin(self.pitch)
        return np.stack(
            [self.x + x * grow, self.y - (y * cp - z * sp) * self.scale, (z * cp + y * sp) * grow, grow], 1
        )


class Surfaces:
    """Planes ``(h, w)`` of what is nearest to the camera at each canvas pixel.

    ``part`` 0 is nobody. ``normal`` is ``(3, h, w)``: right, up, towards the camera. ``u`` is
    an angle around the part (0 its front), ``v`` metres along it.
    """

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width)
        self.depth = np.full(self.shape, -1e6, np.float32)
        self.part = np.zeros(self.shape, np.uint8)
        self.normal = np.zeros((3, height, width), np.float32)
        self.u = np.zeros(self.shape, np.float32)
        self.v = np.zeros(self.shape, np.float32)

    def put(
        self,
        where: tuple[slice, slice],
        mask: npt.NDArray[np.bool_],
        depth: Array,
        normal: tuple[Array, Array, Array],
        u: Array,
        v: Array,
        part: int | Parts,
    ) -> None:
        """Keep the pixels of ``mask`` that are nearer than what is there."""
        mask &= depth > self.depth[where]
        np.copyto(self.depth[where], depth, where=mask)
        np.copyto(self.part[where], np.asarray(part, np.uint8), where=mask)
        for plane, values in zip(self.normal, normal, strict=True):
            np.copyto(plane[where], values, where=mask)
        np.copyto(self.u[where], u, where=mask)
        np.copyto(self.v[where], v, where=mask)

    def _window(self, x0: float, x1: float, y0: float, y1: float) -> tuple[slice, slice] | None:
        height, width = self.shape
        left, right = max(int(x0) - 1, 0), min(int(x1) + 2, width)
        top, bottom = max(int(y0) - 1, 0), min(int(y1) + 2, height)
        if left >= right or top >= bottom:
            return None
        return slice(top, bottom), slice(left, right)

    def tube(
        self,
        a: Array,
        b: Array,
        radii: Sequence[float],
        part: int,
        *,
        flat: bool = False,
        lift: float = 0.0,
        start: float = 0.0,
    ) -> None:
        """A round limb from ``a`` to ``b`` (projected points) with radii in metres along it.

        Args:
            flat: cut the far end straight (a hem) instead of rounding it.
            lift: metres by which it is brought nearer (a sleeve over an arm).
            start: value of ``v`` at ``a``.
        """
        scale = float(a[3] + b[3]) / 2
        r_all = np.array(radii, np.float32) * np.float32(scale)
        reach = float(r_all.max())
        where = self._window(
            min(a[0], b[0]) - reach, max(a[0], b[0]) + reach, min(a[1], b[1]) - reach, max(a[1], b[1]) + reach
        )
        if where is None:
            return
        dx, dy, dz = (float(b[i] - a[i]) for i in range(3))
        length = max(float(np.hypot(dx, dy)), 1.0)
        dx, dy = dx / length, dy / length
        x = np.arange(where[1].start, where[1].stop, dtype=np.float32)[None] + np.float32(0.5 - a[0])
        y = np.arange(where[0].start, where[0].stop, dtype=np.float32)[:, None] + np.float32(0.5 - a[1])
        along = x * dx + y * dy
        across = y * dx - x * dy
        t = np.clip(along / length, 0, 1)
        ends = along - t * length
        if len(r_all) == 2:
            r = r_all[0] + (r_all[1] - r_all[0]) * t
        else:
            r = np.interp(t, np.linspace(0, 1, len(r_all)), r_all).astype(np.float32)
        inside = r * r - across * across - ends * ends
        mask = inside > 0
        if flat:
            mask &= along <= length
        near = np.sqrt(np.maximum(inside, 0))
        depth = np.float32(a[2] + lift * scale) + np.float32(dz) * t + near
        norm = float(np.sqrt(length**2 + dz**2))
        tilt = dz / norm
        flatness = max(float(np.sqrt(1 - tilt * tilt)), 0.2)
        nz, ns, ne = near / r, across / r, ends / r
        mx, my = -tilt * dx * length / norm / flatness, -tilt * dy * length / norm / flatness
        normal = (-dy * ns + dx * ne + mx * nz, -(dx * ns + dy * ne + my * nz), flatness * nz)
        self.put(where, mask, depth, normal, ns * 1.5, np.float32(start) + along / np.float32(scale), part)

    def loft(
        self,
        view: View,
        centres: Array,
        half_width: Array,
        half_depth: Array,
        part: int | Painter,
        *,
        yaw: float = 0.0,
        box: float = 0.0,
        curved_hem: bool = False,
        lift: float = 0.0,
        pleats: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        """A body of horizontal sections (ellipses, or rounded boxes) around upright centres.

        Args:
            view: projection.
            centres: ``(n, 3)`` metres, from top to bottom.
            half_width: ``(n,)`` metres to the person's side.
            half_depth: ``(n,)`` metres to the front.
            part: number of the part, or a painter of it.
            yaw: extra turn against the person.
            box: rounding of box sections in metres; 0 draws ellipses.
            curved_hem: end in the ellipse that a camera above sees.
            lift: metres by which it is brought nearer.
            pleats: number, depth and phase of folds around it, growing downwards.
        """
        p = view.project(centres)
        rows_at = p[:, 1]
        reach = float((np.maximum(half_width, half_depth) * p[:, 3]).max())
        sag = float(half_depth[-1] * p[-1, 3] * np.sin(view.pitch)) if curved_hem else 0.0
        where = self._window(p[:, 0].min() - reach, p[:, 0].max() + reach, rows_at.min(), rows_at.max() + sag)
        if where is None:
            return
        rows = np.arange(where[0].start, where[0].stop, dtype=np.float32) + 0.5

        smooth = 0 if box else max(int((rows_at[-1] - rows_at[0]) / 22), 1)

        def by_row(values: Array) -> Array:
            line = np.interp(rows, rows_at, values).astype(np.float32)
            if smooth > 1:
                padded = np.pad(line, smooth, mode="reflect", reflect_type="odd")
                window = np.ones(2 * smooth + 1, np.float32) / (2 * smooth + 1)
                line = np.convolve(padded, window, mode="valid").astype(np.float32)
            return line[:, None]

        a, b = by_row(half_width * p[:, 3]), by_row(half_depth * p[:, 3])
        cx, cz, height = by_row(p[:, 0]), by_row(p[:, 2]), by_row(centres[:, 1])
        a, b = np.maximum(a, 0.5), np.maximum(b, 0.5)
        c, s = np.float32(np.cos(view.yaw + yaw)), np.float32(np.sin(view.yaw + yaw))
        x = np.arange(where[1].start, where[1].stop, dtype=np.float32)[None] + 0.5 - cx
        if box:
            z, mask, normal, lx, lz = _box_section(x, a, b, c, s, np.float32(box * view.scale))
        else:
            z, mask, normal, lx, lz = _ellipse_section(x, a, b, cx, c, s)
        row = rows[:, None]
        bottom = np.float32(rows_at.max())
        mask &= (row >= rows_at.min()) & (row <= bottom + (z * np.float32(np.sin(view.pitch)) if sag else 0))
        angle = np.arctan2(lx / a, lz / b)
        number, strength, phase = pleats
        if strength:
            push = strength * (height[0, 0] - height) / max(float(height[0, 0] - height[-1, 0]), 1e-3)
            push = push * np.cos(angle * number + phase)
            normal = (normal[0] + push * normal[2], normal[1], normal[2])
        painted = part if isinstance(part, int) else part(angle, np.broadcast_to(height, angle.shape))
        if not isinstance(painted, int):
            mask &= painted > 0
        self.put(
            where,
            mask,
            cz + z + np.float32(lift * view.scale),
            normal,
            angle,
            np.broadcast_to(height, angle.shape),
            painted,
        )


_Section = tuple[Array, npt.NDArray[np.bool_], tuple[Array, Array, Array], Array, Array]


def _ellipse_section(x: Array, a: Array, b: Array, cx: Array, c: np.float32, s: np.float32) -> _Section:
    ia, ib = 1 / (a * a), 1 / (b * b)
    p = s * s * ia + c * c * ib
    q = x * (s * c * (ib - ia))
    inside = q * q - p * (x * x * (c * c * ia + s * s * ib) - 1)
    z = (np.sqrt(np.maximum(inside, 0)) - q) / p
    lx, lz = x * c - z * s, x * s + z * c
    gx, gz = lx * ia, lz * ib
    nx, nz = gx * c + gz * s, gz * c - gx * s
    if len(a) > 1:
        da, db, dc = (np.gradient(k, axis=0) for k in (a, b, cx))
        ny = gx * lx * (da / a) + gz * lz * (db / b) + nx * dc
    else:
        ny = np.zeros_like(nx)
    size = 1 / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
    return z, inside > 0, (nx * size, ny * size, nz * size), lx, lz


def _box_section(x: Array, a: Array, b: Array, c: np.float32, s: np.float32, soft: np.float32) -> _Section:
    sign_s, sign_c = (np.float32(1 if k >= 0 else -1) for k in (s, c))
    s_, c_ = sign_s * max(abs(s), np.float32(0.02)), sign_c * max(abs(c), np.float32(0.02))
    side_up, side_low = x * c / s_ + a / abs(s_), x * c / s_ - a / abs(s_)
    face_up, face_low = -x * s / c_ + b / abs(c_), -x * s / c_ - b / abs(c_)
    low = np.maximum(side_low, face_low)
    weight = 1 / (1 + np.exp(np.clip((side_up - face_up) / soft, -30, 30)))  # 1 where the side is seen
    z = np.minimum(side_up, face_up) - soft * 0.69 * 4 * weight * (1 - weight)
    lx, lz = x * c - z * s, x * s + z * c
    da, db = (np.gradient(k, axis=0) if len(k) > 1 else np.zeros_like(k) for k in (a, b))
    nx = weight * (-sign_s * c) + (1 - weight) * sign_c * s
    nz = weight * abs(s) + (1 - weight) * abs(c)
    ny = weight * da + (1 - weight) * db
    size = 1 / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-6)
    return z, z > low, (nx * size, ny * size, nz * size), lx, lz
