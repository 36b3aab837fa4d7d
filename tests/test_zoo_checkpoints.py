"""Weights of every family of torchreid's models, written by torchreid and read back."""

import pytest
import safetensors.torch
import torch
from target_tester import noise
from torch import nn

from torchreid_amd import fingerprint, load_weights
from torchreid_amd.core import host
from torchreid_amd.core.registry import list_targets
from torchreid_amd.targets.classifier import is_named_classifier
from torchreid_amd.targets.table import families

QUICK = ("hacnn", "shufflenet", "squeezenet1_0", "resnet18", "osnet_ain_x1_0", "pcb_p4")
FIRSTS = [family[0] for family in families()]


def size(name):
    return {"hacnn": (160, 64), "mudeep": (256, 128)}.get(name, (160, 96))


def build(name, num_classes, seed):
    torch.manual_seed(seed)
    return host.build_model(name, num_classes=num_classes).eval()


def written(name, folder):
    """A model with random batch statistics, and its checkpoint by torchreid's own function."""
    model = build(name, 3, 0)
    for key, value in model.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    state = nn.DataParallel(model).state_dict()
    content = {"state_dict": state, "epoch": 1, "rank1": 0.5, "optimizer": {}}
    host.torchreid().utils.save_checkpoint(content, str(folder), remove_module_from_keys=False)
    return model, folder / "model.pth.tar-1"


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.heavy) for n in FIRSTS]
)
def test_written_by_torchreid_and_read_back(name, tmp_path, caplog):
    caplog.set_level("INFO", "torchreid_amd")
    model, path = written(name, tmp_path)
    assert all(k.startswith("module.") for k in torch.load(path, weights_only=False)["state_dict"])
    images = noise(2, size(name))
    with torch.no_grad():
        own = model(images)
    state = model.state_dict()
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "w.safetensors")
    torch.save(halves, tmp_path / "half.pth")
    rounded = build(name, 3, 0)
    rounded.load_state_dict(halves)
    with torch.no_grad():
        own_rounded = rounded(images)
    for file, expected in (
        (path, own),
        (tmp_path / "w.safetensors", own),
        (tmp_path / "half.pth", own_rounded),
    ):
        for num_classes in (3, 5):
            other = build(name, num_classes, 1)
            caplog.clear()
            report = load_weights(other, file)
            with torch.no_grad():
                assert torch.equal(other(images), expected)
            assert bool(report.skipped) == (num_classes == 5)
            assert all(is_named_classifier(k) for k in report.skipped)
            assert ("classifier of 3 identities skipped" in caplog.text) == (num_classes == 5)
    assert fingerprint(other) == fingerprint(rounded)


@pytest.mark.parametrize("name", list_targets())
def test_classifiers_are_what_depends_on_the_number_of_identities(name):
    with torch.device("meta"):
        three, five = (host.build_model(name, num_classes=n).state_dict() for n in (3, 5))
    assert three.keys() == five.keys()
    for key in three:
        assert is_named_classifier(key) == (three[key].shape != five[key].shape), key
