"""Market-1501 with attributes.

Zheng et al., *Scalable Person Re-identification: A Benchmark*, ICCV 2015. Attributes: Lin et
al., *Improving Person Re-identification by Attribute and Identity Learning*, Pattern
Recognition 2019.
"""

from __future__ import annotations

from typing import Any

from torchreid_amd.core import host
from torchreid_amd.core.registry import register_dataset
from torchreid_amd.datasets.annotated import AnnotatedDataset

Market1501: Any = host.image_dataset_class("market1501")


@register_dataset(name="market1501_attr")
class Market1501Attr(AnnotatedDataset, Market1501):
    """torchreid's ``market1501`` with ``market_attribute.mat`` beside it: 26 attributes.

    Identity 0 (distractors) has no labels; −1 (junk) is left out, as in torchreid.
    """

    attributes = "market1501"
    annotation = "market_attribute.mat"
    annotation_url = "https://github.com/vana77/Market-1501_Attribute"
    images = "Market-1501-v15.09.15"
    pids = range(1502)
    cameras = 6
