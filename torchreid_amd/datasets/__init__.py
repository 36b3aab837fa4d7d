"""Data sets with attribute labels.

Their classes extend torchreid's, so each is imported when it is asked for, here or by name: what
there is can be listed without torchreid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchreid_amd.core.lazy_names import lazy_names
from torchreid_amd.core.registry import datasets, list_datasets, register_dataset

if TYPE_CHECKING:
    from torchreid_amd.datasets.dukemtmcreid import DukeMTMCreIDAttr
    from torchreid_amd.datasets.market1501 import Market1501Attr
    from torchreid_amd.datasets.synthetic import SyntheticAttr, SyntheticAttrNight
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "DukeMTMCreIDAttr": "dukemtmcreid",
            "Market1501Attr": "market1501",
            "SyntheticAttr": "synthetic.dataset",
            "SyntheticAttrNight": "synthetic.dataset",
        },
    )

datasets.add_module("torchreid_amd.datasets.dukemtmcreid", "dukemtmcreid_attr")
datasets.add_module("torchreid_amd.datasets.market1501", "market1501_attr")
datasets.add_module("torchreid_amd.datasets.synthetic.dataset", "synthetic_attr", "synthetic_attr_night")

__all__ = [
    "DukeMTMCreIDAttr",
    "Market1501Attr",
    "SyntheticAttr",
    "SyntheticAttrNight",
    "list_datasets",
    "register_dataset",
]
