"""The six cameras of the night: street lamps, dusk, neon, an underpass; long exposures and noise."""

from __future__ import annotations

from torchreid_amd.datasets.synthetic.camera import Camera, lit_from

_SODIUM, _LED, _NEON, _DUSK, _MOON, _HALL = (
    (1.12, 0.94, 0.70), (0.94, 1.00, 1.10), (1.06, 0.90, 1.06), (1.02, 0.94, 0.96), (0.88, 0.98, 1.12),
    (1.00, 1.04, 0.90),
)  # fmt: skip

#: numbers, places and headings as of the cameras of the day
NIGHT_CAMERAS: tuple[Camera, ...] = (
    Camera(
        1, ("shops", "boulevard", "station"), lit_from(-0.3, 0.9, 0.5, 0.50, 0.30, _SODIUM, _MOON, 0.45),
        cast=(1.06, 1.0, 0.88), exposure=1.23, contrast=1.05, saturation=0.85, haze=0.02,
        blur=0.50, detail=0.85, noise=0.019, quality=(62, 82), pitch=0.30, headings=(0.9, -2.2, 2.4),
        domain="night", faded=0.45, flat=0.60, grey=0.22, ambient=0.25, lamp=(1.0, 0.78, 0.45), motion=0.35,
        share=0.86,
    ),
    Camera(
        2, ("underpass", "station", "shops"), lit_from(0.1, 0.9, 0.3, 0.42, 0.34, _HALL, _HALL, 0.30),
        cast=(0.97, 1.04, 0.90), exposure=1.26, contrast=0.96, saturation=0.75, haze=0.04,
        blur=0.55, detail=0.75, noise=0.017, quality=(58, 80), pitch=0.18, headings=(0.0, 3.1, -0.5),
        domain="night", faded=0.35, flat=0.55, grey=0.25, ambient=0.25, lamp=(0.90, 1.0, 0.80), motion=0.30,
        share=0.88,
    ),
    Camera(
        3, ("park", "boulevard", "crossing"), lit_from(0.5, 0.7, 0.5, 0.30, 0.30, _DUSK, _MOON, 0.20),
        cast=(0.92, 0.98, 1.12), exposure=1.38, contrast=0.92, saturation=0.70, haze=0.05,
        blur=0.60, detail=0.75, noise=0.024, quality=(56, 76), pitch=0.34, headings=(-1.4, 1.6, 0.3),
        domain="night", faded=0.35, flat=0.55, grey=0.20, ambient=0.27, motion=0.45, share=0.84,
    ),
    Camera(
        4, ("crossing", "shops", "park"), lit_from(0.7, 0.5, 0.7, 0.58, 0.24, _LED, _NEON, 0.60),
        cast=(0.96, 0.98, 1.08), exposure=1.23, contrast=1.10, saturation=0.88, haze=0.01,
        blur=0.45, detail=0.90, noise=0.016, quality=(66, 84), pitch=0.26, headings=(2.7, -0.3, 1.2),
        domain="night", faded=0.50, flat=0.65, grey=0.20, ambient=0.21, lamp=(0.85, 0.95, 1.0), motion=0.35,
        share=0.87,
    ),
    Camera(
        5, ("station", "underpass", "boulevard"), lit_from(-0.5, 0.8, 0.4, 0.44, 0.34, _NEON, _DUSK, 0.35),
        cast=(1.05, 0.94, 1.04), exposure=1.21, contrast=1.00, saturation=0.80, haze=0.03,
        blur=0.50, detail=0.80, noise=0.02, quality=(60, 80), pitch=0.22, headings=(1.9, -1.1, -2.8),
        domain="night", faded=0.45, flat=0.60, grey=0.24, ambient=0.23, lamp=(1.0, 0.70, 0.95), motion=0.30,
        share=0.86,
    ),
    Camera(
        6, ("boulevard", "crossing", "park"), lit_from(0.2, 0.9, -0.4, 0.52, 0.27, _SODIUM, _MOON, 0.50),
        cast=(1.10, 0.98, 0.80), exposure=1.34, contrast=0.98, saturation=0.72, haze=0.03,
        blur=0.60, detail=0.70, noise=0.022, quality=(56, 78), pitch=0.36, headings=(-0.7, 2.3, 3.0),
        domain="night", faded=0.40, flat=0.55, grey=0.22, ambient=0.23, lamp=(1.0, 0.72, 0.36), motion=0.40,
        share=0.85,
    ),
)  # fmt: skip
