"""The parts into which a photograph of a person is divided."""

from __future__ import annotations

UPPER = "upper body"  #: with arms and hands
LOWER = "lower body"  #: with shoes
HEAD = "head"  #: with neck, hair and hat
CARRIED = "carried"  #: bags
REST = "rest of the picture"  #: pose and build, camera and light, background
PARTS = (UPPER, LOWER, HEAD, CARRIED, REST)
