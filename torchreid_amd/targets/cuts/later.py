"""A target that is cut at a later stage, so that an interpreter shares more with it and copies less."""

from __future__ import annotations

from torch import nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.target import CutPoint, Target


def cut_later(target: Target, stages: int) -> Target:
    """The same target whose body is the last of its stages alone; the others belong to the stem.

    Args:
        target: whose body is modules one after the other.
        stages: how many of them are left, from 1; a target that has just as many is given back.

    Raises:
        InputError: the body is something else, or has fewer.

    Example:
        >>> import torchreid_amd as amd
        >>> from torchreid_amd.targets.cuts.later import cut_later
        >>> cut_later(amd.build_target("resnet18"), 1).cut_point.stem
        'layer3'
    """
    steps = _steps(target.body) if target.trunk is target.body else []
    if not 1 <= stages <= len(steps):
        has = f"has {len(steps)}" if steps else "is not made of stages one after the other"
        expected = f"1 to {len(steps)}, or 0 for all" if steps else "0 for all"
        raise InputError(
            f"the head should copy the last {stages} stages of {target.name or 'the target'} (amd.stages), "
            f"but what lies behind its stem {has}; expected {expected}"
        )
    if stages == len(steps):
        return target
    shared, body = steps[:-stages], steps[-stages:]
    stem = nn.Sequential(*(_steps(target.stem) or [target.stem]), *shared)
    paths = {module: path for path, module in target.model.named_modules()}
    return Target(
        stem,
        nn.Sequential(*body),
        target.tail,
        model=target.model,
        name=target.name,
        size=target.size,
        fixed_size=target.fixed_size,
        cut_point=CutPoint(paths.get(shared[-1], ""), target.cut_point.maps, target.cut_point.how),
    )


def _steps(part: nn.Module) -> list[nn.Module]:
    """The modules of a chain; none where it is no chain."""
    return list(part.children()) if type(part).forward is nn.Sequential.forward else []
