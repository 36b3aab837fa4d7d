"""What tables and figures call an interpreter and everything it is held against."""

from __future__ import annotations

TITLES = {
    "interpreter": "interpreter",
    "probe": "linear probes",
    "prior": "image-free prior",
    "random": "random order",
    "count": "attributes in the group",
    "area": "area of the region",
    "regression": "linear regression",
    "occlusion": "region occluded",
    "activation": "activation map",
    "average place": "average place in training",
    "average map": "its own average map",
}

#: of the orders in which pixels are removed: all attributes of the interpreter make one map
ORDERS = TITLES | {"interpreter": "attribute-weighted map"}
