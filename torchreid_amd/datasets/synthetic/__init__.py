"""Procedural pedestrians: photographs whose attributes, regions and counterfactuals are known."""

from torchreid_amd.datasets.synthetic.counterfactual import counterfactual, counterfactual_photograph
from torchreid_amd.datasets.synthetic.dataset import SyntheticAttr, SyntheticAttrNight
from torchreid_amd.datasets.synthetic.options import SyntheticOptions
from torchreid_amd.datasets.synthetic.records import Record
from torchreid_amd.datasets.synthetic.regions import regions
from torchreid_amd.datasets.synthetic.rendering import render_dataset

__all__ = [
    "Record",
    "SyntheticAttr",
    "SyntheticAttrNight",
    "SyntheticOptions",
    "counterfactual",
    "counterfactual_photograph",
    "regions",
    "render_dataset",
]
