"""Interpreter heads: what makes attribute-guided attention maps."""

from torchreid_amd.heads.amd import AMDHead
from torchreid_amd.heads.attrimeter import AttriMeterHead
from torchreid_amd.heads.decomposition import DecompositionHead, phi
from torchreid_amd.registry import list_heads, register_head

__all__ = ["AMDHead", "AttriMeterHead", "DecompositionHead", "list_heads", "phi", "register_head"]
