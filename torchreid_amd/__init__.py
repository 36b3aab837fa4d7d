"""Attribute-guided explanations for torchreid models."""

from torchreid_amd.attributes import sets as _sets  # noqa: F401  (registers the attribute sets)
from torchreid_amd.interpreter import create_interpreter

__all__ = ["create_interpreter"]
