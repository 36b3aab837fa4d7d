"""The shared tester over every model name of torchreid.

By default a quick model of each kind; all of them, and one of each family compiled and
exported, with ``pytest -m "heavy or not heavy"``.
"""

import pytest
from target_tester import TargetTester
from target_tester import subject as make

from torchreid_amd.core import host
from torchreid_amd.core.registry import natural_key, targets
from torchreid_amd.targets.table import families

NAMES = sorted((n for n in host.model_factory() if not n.startswith(("amd_", "timm_"))), key=natural_key)
QUICK = ("osnet_x0_25", "osnet_ain_x0_25", "resnet18", "shufflenet", "squeezenet1_1", "hacnn", "pcb_p4")
COMPILED = {family[0] for family in families()} - {"densenet121", "inceptionresnetv2"} | set(QUICK)
WIDE = ("inceptionv4", "inceptionresnetv2", "xception")


def sizes(name):
    """(H, W) to try: two, unless the model takes one only."""
    if name in WIDE:
        return (256, 128), (299, 299)
    return {"hacnn": ((160, 64),), "mudeep": ((256, 128),)}.get(name, ((128, 64), (160, 96)))


@pytest.fixture(
    scope="module", params=[n if n in QUICK else pytest.param(n, marks=pytest.mark.heavy) for n in NAMES]
)
def subject(request):
    return make(request.param, sizes(request.param), request.param in COMPILED)


@pytest.fixture
def small():
    return make("osnet_x0_25", sizes("osnet_x0_25"), compiled=True)


def test_all_49_names_are_registered():
    assert len(NAMES) == 49
    assert [n for n in NAMES if n not in targets] == []


def test_compile_and_export(small):
    TargetTester().test_compile(small)
    TargetTester().test_export(small)


class TestTorchreid(TargetTester):
    pass
