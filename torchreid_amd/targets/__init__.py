"""Targets: ReID models cut into stem | body | tail."""

from __future__ import annotations

from torchreid_amd.core.host import unwrap
from torchreid_amd.core.registry import list_targets, register_target
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.cuts.automatic import automatic_cut
from torchreid_amd.targets.cuts.by_chain import cut_by_name
from torchreid_amd.targets.cuts.by_path import cut
from torchreid_amd.targets.families import chains, hacnn, mlfn, mudeep, nasnet, pcb, resnetmid  # noqa: F401
from torchreid_amd.targets.tail import AveragePoolTail, Tail
from torchreid_amd.targets.target import Target
from torchreid_amd.targets.timm import cut as timm_cut  # noqa: F401

__all__ = [
    "AveragePoolTail",
    "Tail",
    "Target",
    "automatic_cut",
    "build_target",
    "cut",
    "cut_by_name",
    "list_targets",
    "register_target",
    "unwrap",
]
