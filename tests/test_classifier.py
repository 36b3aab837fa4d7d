"""An identity classifier is what no embedding depends on, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from networks import conv
from torch import Tensor, nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.classifier import classifier_keys
from torchreid_amd.targets.weights import fingerprint, has_fingerprint, load_weights


class Misnamed(nn.Module):
    """The embedding layer is called classifier, and what tells identities apart is called fc_id."""

    def __init__(self, identities: int = 5, width: int = 7, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone = nn.Sequential(conv(3, 4), conv(4, 6), conv(6, 8), conv(8, 8))
        self.classifier = nn.Sequential(nn.Linear(8, width), nn.BatchNorm1d(width))
        self.fc_id = nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, identities))

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.classifier(self.backbone(x).mean((2, 3)))
        if not self.training:
            return embedding
        logits: Tensor = self.fc_id(embedding)
        return logits


def saved(model: nn.Module, path: Path) -> Path:
    torch.save(model.state_dict(), path)
    return path


def test_found_by_what_it_does() -> None:
    model = Misnamed().train()
    model.backbone[0].eval()
    model.backbone.requires_grad_(False)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = classifier_keys(model, model.state_dict())
    assert found == {k for k in model.state_dict() if k.startswith("fc_id")}  # its batch statistics, too
    assert model.training and not model.backbone[0].training and model.fc_id.training
    assert not next(model.backbone.parameters()).requires_grad
    assert next(model.classifier.parameters()).requires_grad
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert classifier_keys(model, []) == set()


def test_where_the_model_does_not_run_names_decide() -> None:
    broken = nn.ModuleDict({"classifier": nn.Linear(2, 2), "fc": nn.Linear(2, 2)})
    assert classifier_keys(broken, broken.state_dict()) == {"classifier.weight", "classifier.bias"}


def test_torchreids_own_are_those_that_are_called_so(build) -> None:
    for name in ("osnet_x0_25", "resnet50_fc512", "pcb_p6", "mlfn"):
        model = build(name)
        named = {k for k in model.state_dict() if "classifier" in k}
        assert named and classifier_keys(model, named) == named, name


def test_an_embedding_layer_is_never_left_as_it_is(tmp_path: Path) -> None:
    source = Misnamed(width=9)
    with pytest.raises(InputError, match="of another shape .classifier.0.weight 9×8"):
        load_weights(Misnamed(width=7), saved(source, tmp_path / "w.pth"))
    state = {k: v for k, v in Misnamed().state_dict().items() if not k.startswith("classifier")}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(InputError, match="missing .classifier.0.weight"):
        load_weights(Misnamed(), tmp_path / "w.pth")


def test_a_classifier_by_another_name_may_have_another_size(tmp_path: Path) -> None:
    source, model = Misnamed(identities=5, seed=1), Misnamed(identities=99, seed=2)
    report = load_weights(model, saved(source, tmp_path / "w.pth"))
    assert report.skipped == ("fc_id.1.weight", "fc_id.1.bias")
    images = torch.rand(2, 3, 64, 32)
    assert torch.equal(model.eval()(images), source.eval()(images))


def test_the_fingerprint_sees_the_embedding_layer() -> None:
    one, two = Misnamed(), Misnamed()
    assert fingerprint(one) == fingerprint(two)
    with torch.no_grad():
        two.classifier[0].weight += 1000
    assert fingerprint(one) != fingerprint(two)
    two.load_state_dict(one.state_dict())
    two.classifier[1].running_mean += 1
    assert fingerprint(one) != fingerprint(two)


def test_runs_of_older_versions_are_known_again(build) -> None:
    """They left out every classifier by name; no other model passes for the one of a new run."""
    one, two = Misnamed(), Misnamed()
    with torch.no_grad():
        two.classifier[0].weight += 1000
    by_name = fingerprint(one.state_dict())
    assert has_fingerprint(one, by_name) and has_fingerprint(one, fingerprint(one))
    assert not has_fingerprint(two, fingerprint(one))
    model = build("osnet_x0_25")
    assert fingerprint(model) == fingerprint(model.state_dict())  # what torchreid's models had before
