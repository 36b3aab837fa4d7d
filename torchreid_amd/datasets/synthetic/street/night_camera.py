"""The six cameras of the night: street lamps, dusk, neon, an underpass; long exposures and noise."""

from __future__ import annotations

from torchreid_amd.datasets.synthetic.street.camera import Camera, lit_from

_SODIUM, _LED, _NEON, _DUSK, _MOON, _HALL = (
    (1.04, 0.98, 0.91), (0.98, 1.00, 1.03), (1.02, 0.97, 1.02), (1.01, 0.98, 0.99), (0.96, 0.99, 1.04),
    (1.00, 1.01, 0.97),
)  # fmt: skip

#: numbers, places and headings as of the cameras of the day
NIGHT_CAMERAS: tuple[Camera, ...] = (
    Camera(
        1, ("shops", "boulevard", "station"), lit_from(-0.3, 0.9, 0.5, 0.62, 0.56, _SODIUM, _MOON, 0.45),
        cast=(1.02, 1.00, 0.96), exposure=1.38, contrast=1.05, saturation=0.95, haze=0.02,
        blur=0.40, detail=0.85, noise=0.009, quality=(62, 82), pitch=0.30, headings=(0.9, -2.2, 2.4),
        domain="night", faded=0.45, flat=0.60, grey=0.22, ambient=0.25, lamp=(1.0, 0.78, 0.45), motion=0.12,
        share=0.86,
    ),
    Camera(
        2, ("underpass", "station", "shops"), lit_from(0.1, 0.9, 0.3, 0.53, 0.63, _HALL, _HALL, 0.30),
        cast=(0.99, 1.01, 0.97), exposure=1.41, contrast=0.96, saturation=0.91, haze=0.04,
        blur=0.44, detail=0.75, noise=0.009, quality=(58, 80), pitch=0.18, headings=(0.0, 3.1, -0.5),
        domain="night", faded=0.35, flat=0.55, grey=0.25, ambient=0.25, lamp=(0.90, 1.0, 0.80), motion=0.10,
        share=0.88,
    ),
    Camera(
        3, ("park", "boulevard", "crossing"), lit_from(0.5, 0.7, 0.5, 0.38, 0.56, _DUSK, _MOON, 0.20),
        cast=(0.98, 0.99, 1.04), exposure=1.55, contrast=0.92, saturation=0.90, haze=0.05,
        blur=0.48, detail=0.75, noise=0.012, quality=(56, 76), pitch=0.34, headings=(-1.4, 1.6, 0.3),
        domain="night", faded=0.35, flat=0.55, grey=0.20, ambient=0.27, motion=0.16, share=0.84,
    ),
    Camera(
        4, ("crossing", "shops", "park"), lit_from(0.7, 0.5, 0.7, 0.72, 0.44, _LED, _NEON, 0.60),
        cast=(0.99, 0.99, 1.02), exposure=1.38, contrast=1.10, saturation=0.96, haze=0.01,
        blur=0.36, detail=0.90, noise=0.008, quality=(66, 84), pitch=0.26, headings=(2.7, -0.3, 1.2),
        domain="night", faded=0.50, flat=0.65, grey=0.20, ambient=0.21, lamp=(0.85, 0.95, 1.0), motion=0.12,
        share=0.87,
    ),
    Camera(
        5, ("station", "underpass", "boulevard"), lit_from(-0.5, 0.8, 0.4, 0.55, 0.63, _NEON, _DUSK, 0.35),
        cast=(1.02, 0.98, 1.01), exposure=1.36, contrast=1.00, saturation=0.93, haze=0.03,
        blur=0.40, detail=0.80, noise=0.010, quality=(60, 80), pitch=0.22, headings=(1.9, -1.1, -2.8),
        domain="night", faded=0.45, flat=0.60, grey=0.24, ambient=0.23, lamp=(1.0, 0.70, 0.95), motion=0.10,
        share=0.86,
    ),
    Camera(
        6, ("boulevard", "crossing", "park"), lit_from(0.2, 0.9, -0.4, 0.65, 0.50, _SODIUM, _MOON, 0.50),
        cast=(1.03, 0.99, 0.94), exposure=1.50, contrast=0.98, saturation=0.90, haze=0.03,
        blur=0.48, detail=0.70, noise=0.011, quality=(56, 78), pitch=0.36, headings=(-0.7, 2.3, 3.0),
        domain="night", faded=0.40, flat=0.55, grey=0.22, ambient=0.23, lamp=(1.0, 0.72, 0.36), motion=0.14,
        share=0.85,
    ),
)  # fmt: skip
