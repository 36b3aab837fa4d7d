"""What attributes mean (schema), who has them (table), and where both come from."""

from __future__ import annotations

from torchreid_amd.attributes import sets as sets  # registers the sets
from torchreid_amd.attributes.labels import LabelSource, SourceLabels, label_source
from torchreid_amd.attributes.mat import read_mat
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.attributes.schema_file import read_schema, resolve_schema
from torchreid_amd.attributes.table import AttributeTable
from torchreid_amd.attributes.table_file import read_table
from torchreid_amd.core.registry import list_attributes, register_attributes

__all__ = [
    "UNKNOWN",
    "AttributeSchema",
    "AttributeTable",
    "LabelSource",
    "SourceLabels",
    "label_source",
    "list_attributes",
    "read_mat",
    "read_schema",
    "read_table",
    "register_attributes",
    "resolve_schema",
]
