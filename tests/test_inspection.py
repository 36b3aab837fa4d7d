"""``inspect``, the table of targets, and the list of published weights."""

import sys
from pathlib import Path

import pytest
import torch
from networks import Moody, TwoBranches

import torchreid_amd as amd
from torchreid_amd import InputError
from torchreid_amd.cli import main
from torchreid_amd.core import host
from torchreid_amd.core.registry import natural_key
from torchreid_amd.interpreter.inspection import inspect_model, inspect_target
from torchreid_amd.targets import cut, table
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.model_zoo import PUBLISHED, list_zoo, where_to_get

GUIDE = Path(__file__).parents[1] / "examples" / "GUIDE.md"


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_what_is_inspected_by_hand():
    found = inspect_model("osnet_x0_25")
    model = host.build_model("osnet_x0_25")
    assert (found.stem, found.maps, found.how) == ("conv3", ("conv5",), "by entry")
    assert (found.shapes, found.embedding, found.size) == (((128, 16, 8),), 512, (256, 128))
    assert found.linear and found.law_error <= 1e-5
    stem = sum(count(m) for m in (model.conv1, model.conv2, model.conv3))
    body = sum(count(m) for m in (model.conv4, model.conv5))
    new = 128 * 256 * 9 + 256 * 26  # the two convolutions of the decomposition head, M = 26
    exact, *paper = found.heads
    assert (exact.head, exact.shared, exact.copied) == ("additive", stem + body, 0) and exact.new > 0
    assert [(h.head, h.shared, h.copied, h.new) for h in paper] == [
        ("amd", stem, body, new),
        ("attrimeter", stem + body, 0, new),
    ]


def test_several_maps_and_one_size():
    found = inspect_target(build_target("hacnn"))
    assert found.fixed_size and found.size == (160, 64)
    assert found.shapes == ((384, 10, 4), *[(384, 3, 4)] * 4) and len(found.maps) == 5
    assert "384×10×4" in found.summary() and "(the only size)" in found.summary()
    with pytest.raises(InputError, match="hacnn does not run on 128×64 images .* try --size 160 64"):
        inspect_target(build_target("hacnn"), (128, 64))


def run(capsys, *arguments):
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_here.py").write_text(
        f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n"
        "from networks import Moody, TwoBranches, plain\nnumber = int\n"
    )
    yield
    sys.modules.pop("mine_here", None)


def test_inspect_command(capsys, own_module):
    code, out, _ = run(capsys, "inspect", "resnet18", "--size", "128", "64")
    assert code == 0 and "resnet18 at 128×64" in out and "layer4  512×4×2" in out
    code, out, _ = run(capsys, "inspect", "mine_here:plain")
    assert code == 0 and "cut traced" in out and "6×32×16" in out
    cut_by_hand = ("--map", "coarse", "fine", "--stem", "start", "--size", "64", "32")
    code, out, _ = run(capsys, "inspect", "mine_here:TwoBranches", *cut_by_hand)
    assert code == 0 and "12×4×2" in out and "5×8×4" in out and "cut named" in out


def test_inspect_loads_weights(capsys, tmp_path):
    torch.save(host.build_model("osnet_x0_25", num_classes=3).state_dict(), tmp_path / "w.pth")
    assert run(capsys, "inspect", "osnet_x0_25", "--weights", str(tmp_path / "w.pth"))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine_here:Moody"], "Moody cannot be cut automatically: tracing stopped"),
        (
            ["mine_here:TwoBranches"],
            "there are still convolutions (fine.0): its output is made of several maps",
        ),
        (["mine_here:plain", "--size", "1", "1"], "Sequential cannot be cut automatically"),
        (["mine_here:plain", "--map", "9"], "unknown module of Sequential '9'"),
        (["mine_here:other"], "'mine_here:other' gives no model (AttributeError"),
        (["mine_here:number"], "gives a int, expected a torch.nn.Module"),
        (["nowhere:other"], "expected package.module:function"),
        (["osnet_x9"], "unknown model 'osnet_x9'; did you mean"),
        (
            ["osnet_x0_25", "--weights", "none.pth"],
            "torchreid publishes osnet_x0_25 trained on market1501 at https",
        ),
        (["osnet_x0_25", "--size", "3", "3"], "does not run on 3×3 images"),
    ],
)
def test_inspect_says_which_step_failed_and_what_to_do(capsys, own_module, arguments, said):
    code, _, err = run(capsys, "inspect", *arguments)
    assert code == 2 and said in err and err.count("\n") == 1
    if "cannot be cut" in said:
        assert "torchreid_amd.cut(model, map='…', stem='…')" in err


def test_inspection_leaves_the_model_as_it_was():
    model = TwoBranches()
    held = {k: v.clone() for k, v in model.state_dict().items()}
    inspect_target(cut(model, map=("coarse", "fine"), stem="start", size=(64, 32)))
    assert all(torch.equal(v, held[k]) for k, v in model.state_dict().items())


def test_hooked_targets_share_and_copy_what_runs():
    model = Moody()
    found = inspect_target(cut(model, map="backbone.three", stem="backbone.two", size=(64, 32)))
    amd_head = next(h for h in found.heads if h.head == "amd")
    assert amd_head.copied == count(model.backbone["three"])


def test_every_family_of_torchreid_is_in_the_table():
    names = [n for family in table.families() for n in family]
    assert len(names) == len(set(names)) == 49


def test_a_row_by_hand():
    assert table.row("osnet_x0_25", "osnet_x0_5", "all 2") == (
        "| osnet_x0_25 | osnet_x0_5 | 256×128 | `conv3` | `conv5` 128×16×8 | 512 | linear | entry | all 2 |"
    )
    hacnn = table.row("hacnn", "—", "all 1")
    assert table._HEAD.count("|") == table._LINE.count("|") == hacnn.count("|")
    assert "`ha3` 384×10×4, 4 of 384×3×4" in hacnn and "160×64 only" in hacnn


def test_table_goes_between_markers(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "families", lambda: [["squeezenet1_1"]])
    monkeypatch.setattr(table, "_TIMM", {})
    readme = tmp_path / "R.md"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    assert table.main(["--write", str(readme)]) == 0
    assert readme.read_text() == f"before\n{table.BEGIN}\n{table.targets_table()}\n{table.END}\nafter\n"
    readme.write_text("nothing")
    assert table.main(["--write", str(readme)]) == 2 and readme.read_text() == "nothing"


def shown_table():
    text = GUIDE.read_text(encoding="utf-8")
    return text.split(table.BEGIN)[1].split(table.END)[0].strip()


def test_the_guide_names_every_target():
    shown = shown_table()
    assert [n for family in table.families() for n in family if n not in shown] == []


@pytest.mark.heavy
def test_the_guide_shows_the_generated_table():
    assert shown_table() == table.targets_table()


def test_published_weights(capsys):
    assert len(PUBLISHED) == 66 and len({p.file for p in PUBLISHED}) == 66
    models = host.model_factory()
    assert all(p.model in models for p in PUBLISHED)
    names = [p.model for p in list_zoo()]
    assert names == sorted(names, key=natural_key)
    code, out, _ = run(capsys, "list", "zoo", "hacnn")
    assert code == 0 and out.count("\n") == 3 and "softmax  160x64" in out and "https://drive" in out


def test_where_to_get_weights():
    assert "osnet_x0_25 trained on dukemtmcreid" in where_to_get("osnet_x0_25", "w/osnet_x0_25_duke.pth")
    assert "osnet_x0_25 trained on market1501" in where_to_get("osnet_x0_25", "w.pth")
    assert "trained on imagenet" in where_to_get("shufflenet", "w.pth")
    assert where_to_get("resnet18", "w.pth") == where_to_get("", "w.pth") == ""
    with pytest.raises(InputError, match="torchreid-amd list zoo"):
        amd.load_weights(host.build_model("resnet18"), "none.pth")


def test_only_targets_have_a_table(capsys):
    code, _, err = run(capsys, "list", "heads", "--table")
    assert code == 2 and "torchreid-amd list targets --table" in err
