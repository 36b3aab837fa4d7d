"""What attributes mean (schema), who has them (table), and where both come from."""

from __future__ import annotations

from torchreid_amd.attributes import sets as sets  # registers the sets
from torchreid_amd.attributes.mat import read_mat
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.attributes.table import AttributeTable

__all__ = ["UNKNOWN", "AttributeSchema", "AttributeTable", "read_mat"]
