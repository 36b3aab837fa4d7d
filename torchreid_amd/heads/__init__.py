"""Interpreter heads: what makes attribute-guided attention maps."""

from torchreid_amd.core.registry import heads, list_heads, register_head
from torchreid_amd.heads.additive import AdditiveHead
from torchreid_amd.heads.amd import AMDHead
from torchreid_amd.heads.attrimeter import AttriMeterHead
from torchreid_amd.heads.decomposition_head import DecompositionHead, phi

__all__ = [
    "AMDHead",
    "AdditiveHead",
    "AttriMeterHead",
    "DecompositionHead",
    "heads",
    "list_heads",
    "phi",
    "register_head",
]
