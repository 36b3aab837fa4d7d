"""Models of timm in torchreid: names, constructor contract, weights, sizes, token layouts, training."""

import subprocess
import sys

import pytest
import torch
from tiny_market import write_tiny_market
from torch import nn

import torchreid_amd as amd
from torchreid_amd import create_interpreter
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.config import activate, get_default_config
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.engine.amd_model import InterpretedModel
from torchreid_amd.interpreter.run_folder import load_run, save_run
from torchreid_amd.plugin import OpenFactory, Pattern
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.timm import model as timm_model
from torchreid_amd.targets.timm.cut import timm_cut
from torchreid_amd.targets.timm.tokens import Embedding, TokenTail

torchreid = host.torchreid()
TWO = AttributeSchema("two", ("a", "b"))


def images(batch=2, size=(128, 64)):
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(2))


def in_torchreid(name, **options):
    defaults = {"num_classes": 4, "loss": "softmax", "pretrained": False, "use_gpu": False}
    return torchreid.models.build_model(name, **(defaults | options))


# names


def test_names_are_listed_by_pattern_only():
    listed = amd.list_targets("timm_resnet1*")
    assert {"timm_resnet10t", "timm_resnet18", "timm_resnet101"} <= set(listed)
    assert listed.index("timm_resnet18") < listed.index("timm_resnet101")
    assert len(amd.list_targets("timm_*")) > 1000
    assert amd.list_targets("timm_vit_small_patch14_dinov2.*") == ["timm_vit_small_patch14_dinov2.lvd142m"]
    assert not any(n.startswith("timm_") for n in amd.list_targets())
    assert not any("timm_" in n for n in host.model_factory())


def test_importing_does_not_import_timm():
    code = (
        "import sys; from torchreid_amd.core import host; build = host.torchreid().models.build_model;"
        "build('osnet_x0_25', 2, pretrained=False); assert 'timm' not in sys.modules;"
        "build('timm_resnet10t', 2, pretrained=False); assert 'timm' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_open_factory():
    factory = OpenFactory({"a": 1}, {"b_": lambda name: name.upper()})
    assert factory["a"] == 1 and factory["b_x"] == "B_X"
    assert "b_x" in factory and "c" not in factory and 3 not in factory
    assert list(factory) == ["a"] and len(factory) == 1 and dict(factory) == {"a": 1}
    found = list(factory.keys())
    assert found == ["a", "b_*"] and "b_x" in found and "c" not in found
    assert Pattern("b_*") != "c" and repr(found) == "['a', 'b_*']"
    with pytest.raises(KeyError, match="c"):
        factory["c"]


def test_uninstalling_closes_the_factory():
    amd.uninstall()
    try:
        assert type(host.model_factory()) is dict
        with pytest.raises(KeyError, match="Unknown model: timm_resnet18"):
            in_torchreid("timm_resnet18")
        held = host.model_factory()
        amd.install()
        host.model_factory()["mine"] = len  # somebody else's, meanwhile
        amd.uninstall()
        assert host.model_factory() is held and held.pop("mine") is len
    finally:
        amd.install()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm_resnet19", "unknown model 'timm_resnet19'; did you mean 'timm_resnet18'"),
        ("amd_timm_resnet19", "unknown model 'timm_resnet19'; did you mean 'timm_resnet18'"),
        (
            "timm_resnet18.a4_in1k",
            "no weights 'a4_in1k' of 'timm_resnet18'; did you mean 'timm_resnet18.a3_in1k'",
        ),
        ("timm_", "unknown model 'timm_'"),
    ],
)
def test_an_unknown_name(name, message):
    for build in (in_torchreid, host.build_model, create_interpreter):
        with pytest.raises(InputError, match=message) as error:
            build(name)
        assert "\n" not in str(error.value) and len(str(error.value)) < 500


# the contract


def test_what_the_losses_get():
    torch.manual_seed(0)
    model = in_torchreid("timm_resnet10t", loss="triplet").train()
    logits, features = model(images(4))
    assert logits.shape == (4, 4) and features.shape == (4, 512)
    pooled = model.backbone(images(4))
    torch.testing.assert_close(features, pooled)
    normed = (pooled - pooled.mean(0)) / (pooled.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(logits, normed @ model.classifier.weight.T, rtol=1e-4, atol=1e-5)
    assert not model.neck.bias.requires_grad and model.neck.weight.requires_grad
    model.eval()
    expected = model.neck(model.backbone(images()))
    torch.testing.assert_close(model(images()), expected)
    assert in_torchreid("timm_resnet10t", num_classes=7).train()(images()).shape == (2, 7)


def test_the_model_says_its_name():
    model = host.build_model("timm_resnet10t.c3_in1k")
    assert host.model_name(model) == model.factory_name == "timm_resnet10t.c3_in1k"
    assert build_target(nn.DataParallel(model)).name == "timm_resnet10t.c3_in1k"


def test_bad_options():
    with pytest.raises(InputError, match="unknown loss of a timm model 'tripled'; did you mean 'triplet'"):
        in_torchreid("timm_resnet10t", loss="tripled")
    with pytest.raises(InputError, match="timm cannot build timm_resnet10t: .*'windows'"):
        host.build_model("timm_resnet10t", windows=3)
    with pytest.raises(InputError, match="for models built as 'timm_<name>', not for a Linear"):
        timm_cut(nn.Linear(2, 2))


def test_pretrained_weights_from_a_file(tmp_path):
    source = timm_model.timm().create_model("resnet10t", num_classes=1000)
    file = tmp_path / "resnet10t.pth"
    torch.save(source.state_dict(), file)
    made = host.build_model("timm_resnet10t", pretrained=True, pretrained_cfg_overlay={"file": str(file)})
    for key, value in made.backbone.state_dict().items():
        assert torch.equal(value, source.state_dict()[key])
    fresh = host.build_model("timm_resnet10t", pretrained=False)
    assert not torch.equal(fresh.backbone.conv1[0].weight, source.conv1[0].weight)
    with pytest.raises(InputError, match="the pretrained weights of timm_resnet10t could not be loaded"):
        host.build_model("timm_resnet10t", pretrained=True, pretrained_cfg_overlay={"file": str(file) + "x"})


def test_position_embeddings_of_a_file_are_kept(tmp_path):
    source = timm_model.timm().create_model("vit_tiny_patch16_224")
    file = tmp_path / "vit.pth"
    torch.save(source.state_dict(), file)
    made = host.build_model(
        "timm_vit_tiny_patch16_224", pretrained=True, pretrained_cfg_overlay={"file": str(file)}
    )
    assert torch.equal(made.backbone.pos_embed, source.pos_embed)


def test_weights_that_cannot_be_had(monkeypatch):
    def offline(*_, **__):
        raise OSError("We couldn't connect\nto the hub")

    monkeypatch.setattr(timm_model.timm(), "create_model", offline)
    with pytest.raises(InputError, match="couldn't connect to the hub.; connect to the internet") as error:
        in_torchreid("timm_resnet10t", pretrained=True)
    assert "\n" not in str(error.value)


def test_a_model_without_weights_says_so():
    timm = timm_model.timm()
    name = next(n for n in timm.list_models() if not timm.is_model_pretrained(n))
    message = f"timm_{name} could not be loaded .No pretrained weights exist"
    with torch.device("meta"), pytest.raises(InputError, match=message):
        in_torchreid(f"timm_{name}", pretrained=True)


# sizes


@pytest.mark.parametrize("size", [(256, 128), (384, 128), (250, 130), (224, 224)])
def test_transformers_take_any_size(size):
    for name, patch in (("timm_vit_tiny_patch16_224", 16), ("timm_eva02_tiny_patch14_224", 14)):
        target = build_target(name)
        rows, columns = (-(-n // patch) for n in size)  # padded to whole patches
        features = target.features(images(1, size))[1]
        map_ = features[0] if isinstance(features, tuple) else features
        assert map_.shape[2:] == (rows, columns)
        assert target.law_error(images(1, size)) <= 1e-5


def test_another_size_is_one_clear_line():
    model = host.build_model("timm_gmlp_ti16_224", size=(128, 64))
    target = build_target(model)
    assert target.fixed_size and target.size == (128, 64)
    for call in (model.eval(), target, target.features):
        with pytest.raises(
            InputError, match="built for images of 128×64 pixels and does not take 256×128"
        ) as error:
            call(images(1, (256, 128)))
        assert "\n" not in str(error.value)


def test_the_configured_size_is_the_one_built_for():
    cfg = get_default_config()
    cfg.data.height, cfg.data.width = 192, 96
    activate(cfg)
    try:
        model = host.build_model("timm_gmlp_ti16_224").eval()
        assert model.size == (192, 96) and model(images(1, (192, 96))).shape == (1, model.feature_dim)
    finally:
        activate(get_default_config())


def test_a_model_that_does_not_run_at_this_size():
    with pytest.raises(InputError, match="does not run on images of 256×128 pixels .* timm's own is 224×224"):
        build_target("timm_convit_tiny")
    with pytest.raises(InputError, match="timm_levit_128s cannot be cut automatically: its last map"):
        build_target("timm_levit_128s")


# tokens


def test_tokens_lie_where_their_patches_lie():
    """Before the first block a token knows its own patch alone."""
    model = host.build_model("timm_deit_tiny_distilled_patch16_224").eval()
    start = Embedding(model, 0)
    one, other = images(1, (256, 128)), images(1, (256, 128))
    other[:, :, 3 * 16 : 4 * 16, 5 * 16 : 6 * 16] += 1
    (map_, tokens), (changed, same) = start(one), start(other)
    assert map_.shape == (1, 192, 16, 8) and tokens.shape == (1, 2, 192)
    assert torch.equal(tokens, same)
    assert torch.nonzero((map_ != changed).any(1)).tolist() == [[0, 3, 5]]


def token_target(**options):
    torch.manual_seed(1)
    model = host.build_model("timm_vit_tiny_patch16_224", depth=4, **options)
    for block in model.backbone.blocks:
        nn.init.normal_(block.attn.qkv.weight, std=0.1)
    return build_target(model)


@pytest.mark.parametrize(
    ("options", "beside", "linear"),
    [
        ({"global_pool": "token"}, 1, False),
        ({"global_pool": "token", "reg_tokens": 4}, 5, False),
        ({"global_pool": "avg"}, 0, True),
        ({"global_pool": "avg", "reg_tokens": 4}, 0, True),
        ({"global_pool": "avg", "fc_norm": False}, 0, True),
        ({"global_pool": "avg", "class_token": False}, 0, True),
        ({"global_pool": "avg", "pool_include_prefix": True}, 1, False),
        ({"global_pool": "max"}, 0, False),
        ({"global_pool": "map"}, 0, False),
        ({"global_pool": "map", "pool_include_prefix": True}, 1, False),
        ({"init_values": 0.5, "qk_norm": True, "pre_norm": True}, 1, False),
    ],
)
def test_poolings_of_tokens(options, beside, linear):
    target = token_target(**options)
    features = target.features(images())[1]
    assert (features[1].shape[1] if isinstance(features, tuple) else 0) == beside
    assert target.tail.linear == linear
    assert target.law_error(images(3)) <= 1e-5
    maps = 2 * torch.rand(2, 3, 8, 4)
    whole = features[0] if beside else features
    slow = []
    for k in range(3):
        weighted = maps[:, k : k + 1] * whole
        slow.append(target.tail((weighted, features[1]) if beside else weighted))
    fast = target.tail.components(maps, features)
    torch.testing.assert_close(fast, torch.stack(slow, 1), rtol=1e-4, atol=1e-4 * float(fast.abs().max()))
    assert (fast[:, 0] - fast[:, 1]).abs().max() > 1e-3 * fast.abs().max()


def test_maps_reach_the_class_token():
    """In front of the block's norm a factor would be divided out; behind it each position counts."""
    target = token_target()
    early, features = target.features(images(1))
    assert isinstance(target.tail, TokenTail)
    maps = torch.ones(1, 1, 8, 4, requires_grad=True)
    target.tail.components(maps, features).square().sum().backward()
    assert (maps.grad != 0).all()
    # a constant factor 3 on the raw tokens would change next to nothing, on these it does
    tripled = target.tail.components(torch.full((1, 1, 8, 4), 3.0), features)
    assert (tripled[:, 0] - target.tail(features)).abs().max() > 1e-2 * tripled.abs().max()


def test_positions_are_counted_by_the_last_attention():
    """By hand: the class token's attention over [own norm; A ⊙ F], its bypass and its own MLP."""
    target = token_target()
    model, (map_, tokens) = target.model, target.features(images(1))[1]
    maps = 2 * torch.rand(1, 1, 8, 4)
    block = model.backbone.blocks[-1]
    seen = torch.cat([block.norm1(tokens), (maps * map_).flatten(2).transpose(1, 2)], 1)
    heads, width = block.attn.num_heads, seen.shape[2]
    q, k, v = block.attn.qkv(seen).reshape(1, 33, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(2, 3) / (width // heads) ** 0.5).softmax(-1)
    x = tokens + block.attn.proj((weights @ v).transpose(1, 2).reshape(1, 33, width))[:, :1]
    x = x + block.mlp(block.norm2(x))
    expected = model.neck(model.backbone.norm(x)[:, 0])
    got = target.tail.components(maps, (map_, tokens))[:, 0]
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


# whole jobs


@pytest.mark.parametrize(
    "name", ["timm_resnet10t", "timm_gmlp_ti16_224", "timm_deit_tiny_distilled_patch16_224"]
)
def test_run_folder(name, tmp_path):
    size = (96, 64)
    model = host.build_model(name, num_classes=5, size=size)
    torch.save(model.state_dict(), tmp_path / "target.pth")
    interpreter = create_interpreter(model, "amd", TWO)
    nn.init.normal_(interpreter.head.decomposition.project.weight)
    save_run(
        tmp_path / "run", interpreter, model=name, num_classes=5, weights=tmp_path / "target.pth", size=size
    )
    run = load_run(tmp_path / "run")
    assert run.model == name and run.interpreter.target.name == name
    with torch.no_grad():
        a, b = interpreter(images(1, size)), run.interpreter(images(1, size))
    assert torch.equal(a.maps, b.maps) and torch.equal(a.components, b.components)


def test_a_factory_entry_with_its_interpreter():
    model = in_torchreid("amd_timm_mobilenetv3_small_050").eval()
    assert isinstance(model, InterpretedModel)
    plain = in_torchreid("timm_mobilenetv3_small_050").eval()
    plain.load_state_dict(model.interpreter.target.model.state_dict())
    assert torch.equal(model(images()), plain(images()))
    assert model.train()(images()).components.shape[1] == 26


def test_torchreid_trains_them_and_the_interpreter_explains(tmp_path):
    root = write_tiny_market(tmp_path / "data")
    sampling = {"train_sampler": "RandomIdentitySampler", "num_instances": 2, "workers": 0}
    batches = {"batch_size_train": 4, "batch_size_test": 4}
    manager = torchreid.data.ImageDataManager(
        root=str(root), sources="market1501", height=64, width=32, use_gpu=False, **sampling, **batches
    )
    engines = {
        "softmax": (torchreid.engine.ImageSoftmaxEngine, "timm_resnet10t"),
        "triplet": (torchreid.engine.ImageTripletEngine, "timm_vit_tiny_patch16_224"),
    }
    for loss, (kind, name) in engines.items():
        model = in_torchreid(name, loss=loss, num_classes=manager.num_train_pids)
        before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
        optimizer = torchreid.optim.build_optimizer(model, optim="adam", lr=1e-3)
        scheduler = torchreid.optim.build_lr_scheduler(optimizer)
        engine = kind(manager, model, optimizer, scheduler=scheduler, use_gpu=False)
        engine.run(save_dir=str(tmp_path / loss), max_epoch=1, print_freq=100, ranks=[1])
        assert any(not torch.equal(v, before[k]) for k, v in model.backbone.state_dict().items())
        saved = next((tmp_path / loss / "model").glob("model.pth.tar-1"))
        again = in_torchreid(name, num_classes=9)
        amd.load_weights(again, saved, quiet=True)
        assert torch.equal(again.eval()(images(2, (64, 32))), model.eval()(images(2, (64, 32))))
        out = create_interpreter(again, "amd", TWO)(images(2, (64, 32)))
        torch.testing.assert_close(out.embedding, again(images(2, (64, 32))), rtol=1e-4, atol=1e-5)


def test_the_command_line(tmp_path, capsys):
    from torchreid_amd.cli import main

    root = write_tiny_market(tmp_path / "data")
    rest = [
        *("model.name", "timm_gmlp_ti16_224", "model.pretrained", "False", "data.height", "64"),
        *("data.width", "32", "data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1"),
        *("test.ranks", "[1]", "data.save_dir", str(tmp_path / "run")),
    ]
    sets = ["-s", "market1501_attr", "-t", "market1501_attr"]
    assert main(["train", "--root", str(root), *sets, *rest]) == 0
    run = load_run(tmp_path / "run")
    assert run.model == "timm_gmlp_ti16_224" and run.interpreter.target.size == (64, 32)
    photograph = next((root / "market1501").rglob("query/*.jpg"))
    assert main(["explain", str(tmp_path / "run"), str(photograph), str(photograph)]) == 0
    assert main(["list", "targets", "timm_gmlp*"]) == 0
    assert "timm_gmlp_ti16_224" in capsys.readouterr().out
    assert main(["train", "--root", str(root), *sets, "model.name", "timm_gmlp_ti17_224"]) == 2
    assert "did you mean 'timm_gmlp_ti16_224'" in capsys.readouterr().err
