"""Heads, decomposition and comparison."""

import math

import pytest
import torch
from torch import nn

from torchreid_amd import create_interpreter
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.config import get_default_config
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import attribute_sets, list_heads
from torchreid_amd.core.room import Room
from torchreid_amd.heads import phi
from torchreid_amd.interpreter.contributions import shares_of
from torchreid_amd.interpreter.decomposition import Decomposition
from torchreid_amd.interpreter.distances import DISTANCES, get_distance
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets import AveragePoolTail, Target

HEADS = list_heads()
PAPER = [name for name in HEADS if name != "additive"]  # e_k = T(A_k ⊙ F); see test_additive.py


def osnet(seed=0):
    torch.manual_seed(seed)
    return host.build_model("osnet_x0_25", num_classes=3)


def images(batch=3):
    return torch.randn(batch, 3, 128, 64, generator=torch.Generator().manual_seed(1))


class FixedHead(nn.Module):
    """Maps that do not depend on the image."""

    def __init__(self, maps):
        super().__init__()
        self.maps = maps

    def forward(self, early, features):
        return self.maps.expand(len(features), -1, -1, -1)


def toy(maps, **kwargs):
    """Embedding = channel means of the image itself; decomposed by fixed maps."""
    target = Target(
        nn.Identity(), nn.Identity(), AveragePoolTail(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1)))
    )
    schema = AttributeSchema("toy", tuple("abcdef"[: maps.shape[1]]))
    return Interpreter(target, FixedHead(maps), schema, **kwargs)


def test_phi_by_hand():
    # e^-1, e^0 = √1, √(1+3), √(1+8)
    torch.testing.assert_close(phi(torch.tensor([-1.0, 0, 3, 8])), torch.tensor([math.exp(-1), 1, 2, 3]))
    x = torch.linspace(-200, 200, 801, requires_grad=True)
    y = phi(x)
    y.sum().backward()
    assert (y >= 0).all() and (y.diff() >= 0).all() and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("head", PAPER)
def test_shapes_and_positive_maps(head):
    interpreter = create_interpreter(osnet(), head=head, attributes="market1501")
    out = interpreter(images())
    assert out.embedding.shape == (3, 512)
    assert out.maps.shape == (3, 26, 8, 4) and (out.maps > 0).all()
    assert out.components.shape == (3, 26, 512)
    one = interpreter(images()[:1])
    torch.testing.assert_close(one.components, out.components[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_embedding_is_the_targets_own(head):
    model = osnet()
    own = model.eval()(images())
    interpreter = create_interpreter(model, head=head)
    torch.testing.assert_close(interpreter(images()).embedding, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", PAPER)
def test_the_gap_is_small_before_training(head):
    """φ(0) = 1 and a last convolution near zero: each component starts near the embedding."""
    interpreter = create_interpreter(osnet(), head=head)
    out = interpreter(images())
    pair = interpreter.compare(out[[0, 0]], out[[1, 2]])
    assert (pair.residual.abs() / pair.distance).max() < 0.05


@pytest.mark.parametrize("head", PAPER)
def test_gradients_reach_the_head_and_not_the_target(head):
    interpreter = create_interpreter(osnet(), head=head).train()
    interpreter(images()).components.sum().backward()
    assert all(p.grad is None for p in interpreter.target.parameters())
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for p in interpreter.head.decomposition.parameters()
    )


def test_amd_head_owns_a_copy_of_the_body():
    model = osnet()
    interpreter = create_interpreter(model, head="amd")
    ours, theirs = interpreter.head.body.state_dict(), interpreter.target.body.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
    own = {p.data_ptr() for p in interpreter.head.parameters()}
    assert not own & {p.data_ptr() for p in model.parameters()}
    fresh = create_interpreter(model, head="amd", init="fresh").head.body.state_dict()
    weights = [k for k in fresh if k.endswith("conv.weight")]
    assert weights and not any(torch.equal(fresh[k], theirs[k]) for k in weights)


def test_toy_decomposition_by_hand():
    """2 channels on a 1×2 map; map a looks left, map b looks right, both with weight 2."""
    maps = torch.tensor([[[[2.0, 0.0]], [[0.0, 2.0]]]])
    x = torch.tensor([[[[3.0, 1.0]], [[0.0, 4.0]]], [[[0.0, 1.0]], [[4.0, 4.0]]]])
    out = toy(maps)(x)
    # embedding: channel means: (2, 2) and (0.5, 4)
    torch.testing.assert_close(out.embedding, torch.tensor([[2.0, 2.0], [0.5, 4.0]]))
    # a: 2·left/2 = left column, b: right column
    torch.testing.assert_close(out.components[0], torch.tensor([[3.0, 0.0], [1.0, 4.0]]))
    torch.testing.assert_close(out.components[1], torch.tensor([[0.0, 4.0], [1.0, 4.0]]))
    pair = toy(maps).compare(out[0], out[1])
    # d = ‖(1.5, −2)‖ = 2.5; d_a = ‖(3, −4)‖ = 5, d_b = 0; mean form: contributions 2.5 and 0
    torch.testing.assert_close(pair.distance, torch.tensor([2.5]))
    torch.testing.assert_close(pair.contributions, torch.tensor([[2.5, 0.0]]))
    torch.testing.assert_close(pair.shares, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(pair.residual, torch.tensor([0.0]))
    # sum form: contributions 5 and 0, residual 2.5 − 5
    pair = toy(maps, form="sum").compare(out[0], out[1])
    torch.testing.assert_close(pair.contributions, torch.tensor([[5.0, 0.0]]))
    torch.testing.assert_close(pair.residual, torch.tensor([-2.5]))
    # squared: d² = 6.25, (25 + 0)/2 = 12.5
    pair = toy(maps).compare(out[0], out[1], metric="squared_euclidean")
    torch.testing.assert_close(pair.distance, torch.tensor([6.25]))
    torch.testing.assert_close(pair.residual, torch.tensor([6.25 - 12.5]))


@pytest.mark.parametrize("metric", list(DISTANCES))
@pytest.mark.parametrize("form", ["mean", "sum"])
def test_compare_laws(metric, form):
    interpreter = create_interpreter(osnet(), "amd", metric=metric, form=form)
    out = interpreter(images(4)).detach()
    ab, ba = interpreter.compare(out[[0, 1]], out[[2, 3]]), interpreter.compare(out[[2, 3]], out[[0, 1]])
    torch.testing.assert_close(ab.contributions, ba.contributions)
    torch.testing.assert_close(ab.contributions.sum(1) + ab.residual, ab.distance, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ab.shares.sum(1), torch.ones(2))
    same = interpreter.compare(out, out)
    assert same.distance.abs().max() < 1e-5 and same.contributions.abs().max() < 1e-5
    one_to_many = interpreter.compare(out[0], out[[2, 3]])
    torch.testing.assert_close(one_to_many.distance[0], ab.distance[0])
    assert ab.metric == metric


def test_distance_is_what_torchreid_prints():
    metrics = host.torchreid().metrics
    out = create_interpreter(osnet(), "amd")(images(4)).embedding
    for name, host_name, transform in (
        ("squared_euclidean", "euclidean", lambda d: d),
        ("euclidean", "euclidean", lambda d: d.clamp_min(0).sqrt()),
        ("cosine", "cosine", lambda d: d),
    ):
        printed = transform(metrics.compute_distance_matrix(out[:2], out[2:], host_name))
        torch.testing.assert_close(get_distance(name).matrix(out[:2], out[2:]), printed, rtol=1e-4, atol=1e-5)
        pair = get_distance(name).between(out[:2], out[2:])
        torch.testing.assert_close(pair, printed.diagonal(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("metric", list(DISTANCES))
def test_distance_matrix_against_a_double_loop(metric):
    distance = get_distance(metric)
    x, y = torch.randn(3, 4, 5), torch.randn(3, 2, 5)
    fast = distance.matrix(x, y)
    for m in range(3):
        for i in range(4):
            for j in range(2):
                a, b = x[m, i].tolist(), y[m, j].tolist()
                squared = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
                cos = sum(p * q for p, q in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
                slow = {"euclidean": squared**0.5, "squared_euclidean": squared, "cosine": 1 - cos}[metric]
                assert fast[m, i, j].item() == pytest.approx(slow, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("metric", list(DISTANCES))
def test_distances_may_be_written_where_others_were(metric):
    distance, room = get_distance(metric), Room()
    first = distance.matrix(torch.randn(3, 4, 5), torch.randn(3, 2, 5), room)
    x, y = torch.randn(2, 4, 5), torch.randn(2, 2, 5)  # takes less
    again = distance.matrix(x, y, room)
    torch.testing.assert_close(again, distance.matrix(x, y), rtol=1e-5, atol=1e-6)
    assert again.data_ptr() == first.data_ptr() and room.tensor((5, 5), x).shape == (5, 5)  # takes more


@pytest.mark.parametrize("metric", list(DISTANCES))
def test_gradient_is_finite_where_two_embeddings_are_equal(metric):
    x = torch.randn(2, 3, requires_grad=True)
    get_distance(metric).between(x, x.detach().clone()).sum().backward()
    get_distance(metric).matrix(x, x).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("metric", list(DISTANCES))
def test_a_distance_that_is_no_number_says_so(metric):
    x, y = torch.tensor([[1.0, float("nan")]]), torch.ones(1, 2)
    assert (
        get_distance(metric).between(x, y).isnan().all() and get_distance(metric).matrix(x, y).isnan().all()
    )


def test_shares_where_nothing_contributes_are_uniform():
    torch.testing.assert_close(shares_of(torch.zeros(2, 4)), torch.full((2, 4), 0.25))
    torch.testing.assert_close(shares_of(torch.tensor([1.0, 3.0])), torch.tensor([0.25, 0.75]))


def test_normalized_keeps_the_sum_of_components():
    out = create_interpreter(osnet(), "amd")(images()).detach()
    unit = out.normalized()
    torch.testing.assert_close(unit.embedding.norm(dim=1), torch.ones(3))
    ratio = out.embedding.norm(dim=1)[:, None, None]
    torch.testing.assert_close(unit.components * ratio, out.components)


def test_an_embedding_of_zero_stays_zero():
    nothing = Decomposition(torch.zeros(1, 4), torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 4)).normalized()
    assert not nothing.embedding.any() and not nothing.components.any()


def test_cat_and_index():
    out = create_interpreter(osnet(), "amd")(images()).detach()
    again = Decomposition.cat([out[0], out[[1, 2]]])
    assert torch.equal(again.components, out.components) and len(again) == 3


def test_custom_schema():
    schema = AttributeSchema("mine", ("glasses", "umbrella"))
    interpreter = create_interpreter(osnet(), "amd", schema)
    assert interpreter(images()).maps.shape[1] == 2
    assert len(attribute_sets["dukemtmcreid"]()) == 23


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "amdd"}, "unknown head 'amdd'; did you mean 'amd'"),
        ({"attributes": ["hat", "hat"]}, "names 'hat' twice"),
        ({"attributes": []}, "is empty"),
        ({"attributes": ["hat", 3]}, "give the name of a registered set"),
        ({"attributes": 26}, "attributes are 26; give the name of a registered set"),
        ({"attributes": "markt1501"}, "unknown attribute set 'markt1501'; did you mean 'market1501'"),
        ({"metric": "euclid"}, "unknown metric 'euclid'; did you mean 'euclidean'"),
        ({"form": "median"}, "unknown form of the decomposition 'median'"),
        ({"head": "amd", "init": "imagenet"}, "unknown start of the head"),
        ({"head": "attrimeter", "init": "fresh"}, "head 'attrimeter' does not take these options"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message) as error:
        create_interpreter(osnet(), **options)
    assert "\n" not in str(error.value)


def test_names_make_a_schema():
    interpreter = create_interpreter(osnet(), attributes=["hat", "bag"])
    assert interpreter.attributes == AttributeSchema("own", ("hat", "bag"))
    assert interpreter(images(1)).maps.shape[1] == 2
    given = Interpreter(interpreter.target, interpreter.head, ("hat", "bag"))
    assert given.attributes == interpreter.attributes


def test_python_and_the_command_line_have_one_default_head():
    assert create_interpreter(osnet(), attributes=["hat"]).head_name == get_default_config().amd.head


def test_rows_that_do_not_match():
    interpreter = create_interpreter(osnet(), "amd")
    out = interpreter(images()).detach()
    with pytest.raises(InputError, match="not 3 and 2"):
        interpreter.compare(out, out[[0, 1]])
