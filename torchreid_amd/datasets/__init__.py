"""Data sets with attribute labels, registered by importing them."""

from torchreid_amd.core.registry import list_datasets, register_dataset
from torchreid_amd.datasets.dukemtmcreid import DukeMTMCreIDAttr
from torchreid_amd.datasets.market1501 import Market1501Attr
from torchreid_amd.datasets.synthetic import SyntheticAttr, SyntheticAttrNight

__all__ = [
    "DukeMTMCreIDAttr",
    "Market1501Attr",
    "SyntheticAttr",
    "SyntheticAttrNight",
    "list_datasets",
    "register_dataset",
]
