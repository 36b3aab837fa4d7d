"""Names of timm's models as names of targets: ``timm_<name>``, strings and tags as in timm.

timm is imported when one of its names is asked for, not before.

Wightman, *PyTorch Image Models*, https://github.com/huggingface/pytorch-image-models
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.host import TIMM


def timm() -> Any:
    """The timm package."""
    return importlib.import_module("timm")


def timm_names(pattern: str = f"{TIMM}*") -> list[str]:
    """Names ``timm_<name>`` that match a wildcard pattern.

    A pattern with a dot in it is matched with the tags of pretrained weights:
    ``'timm_vit_small*.lvd142m'``.
    """
    found = timm().list_models(pattern.removeprefix(TIMM), include_tags="." in pattern)
    return [TIMM + name for name in found]


def check_name(name: str) -> str:
    """timm's own name of ``timm_<name>``.

    Raises:
        InputError: timm has no model of that name, or no weights of that tag.
    """
    own = name.removeprefix(TIMM)
    architecture, _, tag = own.partition(".")
    if not timm().is_model(architecture):
        raise unknown_name("model", TIMM + architecture, timm_names())
    tagged = timm_names(f"{TIMM}{architecture}.*")
    if tag and TIMM + own not in tagged:
        near = difflib.get_close_matches(own, [n.removeprefix(TIMM) for n in tagged], n=1, cutoff=0)
        hint = f"; did you mean {TIMM + near[0]!r}?" if near else ""
        raise InputError(
            f"timm has no weights {tag!r} of {TIMM + architecture!r}{hint} "
            f"known: {', '.join(n.partition('.')[2] for n in tagged) or 'none'}"
        )
    return own
