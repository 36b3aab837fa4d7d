"""Interpreter heads: what makes attribute-guided attention maps."""

from torchreid_amd.heads.additive import AdditiveHead
from torchreid_amd.heads.amd import AMDHead
from torchreid_amd.heads.attrimeter import AttriMeterHead
from torchreid_amd.heads.decomposition import DecompositionHead, phi
from torchreid_amd.registry import heads, list_heads, register_head

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
