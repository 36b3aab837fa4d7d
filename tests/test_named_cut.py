"""Cuts by module path, by function, and by running a model again."""

import copy
import runpy
from pathlib import Path

import pytest
import torch
from networks import AroundTheMap, Moody, MoodyAroundTheMap, Twice, TwoBranches, plain
from torch import nn

import torchreid_amd as amd
from torchreid_amd import InputError, Target, create_interpreter, cut
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core import host
from torchreid_amd.targets import unwrap

SIZE = (64, 32)


def images(batch=3, size=SIZE):
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(5))


def two_branches():
    return cut(TwoBranches(), map=("coarse", "fine"), stem="start", size=SIZE)


def moody():
    return cut(Moody(), map="backbone.three", stem="backbone.two", size=SIZE)


CUTS = {
    "two branches": two_branches,
    "sequence": lambda: cut(plain(), map="2", stem="0", size=SIZE),
    "no stem": lambda: cut(plain(), map="2", size=SIZE),
    "untraceable": moody,
    "untraceable, no stem": lambda: cut(Moody(), map="backbone.three", size=SIZE),
    "deeper": lambda: cut(
        nn.Sequential(TwoBranches()), map=("0.coarse.1", "0.fine"), stem="0.start.1", size=SIZE
    ),
    "resnet18": lambda: cut(
        host.build_model("resnet18", num_classes=3), map="layer4", stem="layer2", size=SIZE
    ),
}


@pytest.mark.parametrize("name", CUTS)
def test_laws(name):
    target = CUTS[name]()
    for batch, size in ((1, SIZE), (3, SIZE), (2, (96, 64))):
        if not target.fixed_size or size == SIZE:
            assert target.law_error(images(batch, size)) <= 1e-5
    assert target.tail.linear
    interpreter = create_interpreter(target, "amd", AttributeSchema("toy", ("a", "b", "c"))).train()
    nn.init.normal_(interpreter.head.decomposition.project.weight)
    out = interpreter(images())
    features = target.features(images())[1]
    slow = [target.tail(target.tail.weighted(out.maps[:, k : k + 1], features)) for k in range(3)]
    torch.testing.assert_close(out.components, torch.stack(slow, 1), rtol=1e-4, atol=1e-5)
    (out.components**2).sum().backward()
    learning = {n for n, p in interpreter.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert {n.split(".")[0] for n in learning} == {"head"}
    assert any(n.startswith("head.body.") for n in learning)
    if "no stem" not in name:
        assert not any("one.0" in n or "start.0" in n for n in learning)


def test_two_branches_by_hand():
    """Each branch's map is weighted at its own resolution and averaged."""
    model = TwoBranches().eval()
    target = cut(model, map=("coarse", "fine"), stem="start", size=SIZE)
    coarse, fine = target.features(images())[1]
    assert coarse.shape == (3, 12, 4, 2) and fine.shape == (3, 5, 8, 4)
    maps = torch.rand(3, 2, 4, 2) * 2
    finer = nn.functional.interpolate(maps, (8, 4), mode="bilinear")
    for k in range(2):
        pooled = [(maps[:, k : k + 1] * coarse).mean((2, 3)), (finer[:, k : k + 1] * fine).mean((2, 3))]
        expected = model.fc(torch.cat(pooled, 1))
        torch.testing.assert_close(target.tail.components(maps, (coarse, fine))[:, k], expected)


def test_overwritten_outputs_are_taken_after_the_overwriting():
    target = cut(plain(), map="2", stem="0", size=SIZE)
    assert target.cut_point.maps == ("3",)
    _, features = target.features(images())
    before = features.clone()
    target.tail(features)
    assert torch.equal(features, before) and (features >= 0).all()


@pytest.mark.parametrize("build", [Moody, MoodyAroundTheMap])
def test_no_hook_and_no_patch_survive(build):
    model = build()
    try:
        target = cut(model, map="backbone.three", stem="backbone.two", size=SIZE)
    except InputError:
        target = None
    if target is not None:
        create_interpreter(target, "amd")(images())
        with pytest.raises(RuntimeError):
            target.features(torch.zeros(1, 5, *SIZE))
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks and "forward" not in vars(module)


def test_state_is_as_it_was():
    model = Moody()
    before = copy.deepcopy(model.state_dict())
    interpreter = create_interpreter(
        cut(model, map="backbone.three", stem="backbone.two", size=SIZE), "amd"
    ).train()
    optimizer = torch.optim.Adam([p for p in interpreter.parameters() if p.requires_grad])
    interpreter(images()).components.sum().backward()
    optimizer.step()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")])
def test_wrapped_models(wrap):
    model = TwoBranches()
    wrapped = wrap(nn.DataParallel(model))
    assert unwrap(wrapped) is model
    assert cut(wrapped, map=("coarse", "fine"), stem="start", size=SIZE).model is model
    simple = plain()
    assert amd.build_target(wrap(simple)).model is simple


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (TwoBranches, {"map": "coarze"}, "unknown module of TwoBranches 'coarze'; did you mean 'coarse'"),
        (TwoBranches, {"map": ()}, "no map named for TwoBranches"),
        (
            TwoBranches,
            {"map": "coarse", "stem": "start"},
            "cannot be cut at map coarse: part of it is computed from",
        ),
        (AroundTheMap, {"map": ("coarse", "fine"), "stem": "start"}, "name a later module, or every map"),
        (TwoBranches, {"map": ("coarse", "fine"), "stem": "fine"}, "between stem fine and map coarse, fine"),
        (
            TwoBranches,
            {"map": "fc", "stem": "start"},
            "'fc' gives no feature map .B, C, h, w. but shape .2, 7.",
        ),
        (plain, {"map": "4", "stem": "0"}, "'4' gives a map of one position: it lies behind the pooling"),
        (Twice, {"map": "same", "stem": "start"}, "module 'same' runs 2 times"),
        (
            MoodyAroundTheMap,
            {"map": "backbone.three", "stem": "backbone.two"},
            "does not give its own embedding back",
        ),
        (lambda: plain()[:3], {"map": "2"}, "returns a tensor of shape 2×6×8×4 for two images in eval mode"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), {"map": "0"}, "does not run on 64×32 images"),
    ],
)
def test_what_cannot_be_cut_says_why(build, options, message):
    with pytest.raises(InputError, match=message) as error:
        cut(build(), **options, size=SIZE)
    assert "\n" not in str(error.value)


def test_functions_make_a_target():
    weight, bias = torch.randn(4, 3, 3, 3), torch.randn(4)
    fc = nn.Linear(4, 6)
    target = Target.from_callables(
        lambda x: nn.functional.avg_pool2d(x, 4),
        lambda x: nn.functional.conv2d(x, weight, bias, padding=1).relu(),
        lambda f: fc(f.amax((2, 3))),
        modules=[fc],
        size=SIZE,
        name="mine",
    )
    assert target.law_error(images()) == 0 and not any(p.requires_grad for p in fc.parameters())
    for head in ("amd", "attrimeter"):
        interpreter = create_interpreter(target, head=head)
        out = interpreter(images())
        features = target.features(images())[1]
        one = fc((out.maps[:, 4:5] * features).amax((2, 3)))
        torch.testing.assert_close(out.components[:, 4], one)
        assert interpreter.target.name == "mine"
    pooled = Target.from_callables(
        target.stem, target.body, lambda f: fc(f.mean((2, 3))), average_pooling=True
    )
    assert pooled.tail.linear


def test_body_given_as_a_module_is_copied():
    body = nn.Conv2d(3, 4, 3)
    target = Target.from_callables(
        lambda x: x, body, lambda f: f.mean((2, 3)), average_pooling=True, size=SIZE
    )
    interpreter = create_interpreter(target, "amd")
    copied = [p for n, p in interpreter.head.named_parameters() if n.startswith("body.")]
    assert len(copied) == 2 and all(p.requires_grad for p in copied)
    assert not body.weight.requires_grad and copied[0].data_ptr() != body.weight.data_ptr()


def test_example(capsys, monkeypatch):
    example = Path(__file__).parents[1] / "examples" / "explain_your_own_model.py"
    monkeypatch.setattr("sys.argv", [str(example), "--steps", "1"])
    runpy.run_path(str(example), run_name="__main__")
    out = capsys.readouterr().out
    assert "two branches: cut at fine, coarse" in out and "sequence: cut at 2" in out
    assert out.count("distance") == 8
