"""Registration by decorator, listing, errors and third-party plug-ins."""

import importlib.metadata as metadata
import sys

import pytest

from torchreid_amd.core import entry_points, registry
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import Registry


def test_name_comes_from_the_function():
    box: Registry = Registry("box")

    @box.register
    def osnet():
        return 1

    @box.register(name="other")
    def ignored():
        return 2

    assert box.list() == ["osnet", "other"]
    assert box["osnet"]() == 1 and box["other"]() == 2


def test_wildcards_and_natural_order():
    box: Registry = Registry("box")
    for name in ("osnet_x10", "osnet_x2", "resnet50", "osnet_x1"):
        box.add(name, name)
    assert box.list("osnet*") == ["osnet_x1", "osnet_x2", "osnet_x10"]
    assert box.list("*50") == ["resnet50"]
    assert box.list("none*") == []


def test_unknown_name_says_what_was_meant():
    box: Registry = Registry("attribute set")
    box.add("market1501", 1)
    box.add("dukemtmcreid", 1)
    with pytest.raises(InputError) as error:
        box["markt1501"]
    assert str(error.value) == (
        "unknown attribute set 'markt1501'; did you mean 'market1501'? known: dukemtmcreid, market1501"
    )


def test_taken_name_is_refused_unless_asked():
    box: Registry = Registry("box")
    box.add("a", 1)
    box.add("a", 1)  # the very same again is no conflict: modules may be reloaded
    with pytest.raises(InputError, match="box 'a' is already registered"):
        box.add("a", 2)
    assert box["a"] == 1
    box.add("a", 2, override=True)
    assert box["a"] == 2
    box.remove("a")
    assert "a" not in box and len(box) == 0


def test_a_module_is_imported_when_its_name_is_asked_for(monkeypatch, tmp_path):
    box: Registry = Registry("box")
    monkeypatch.setattr(registry, "box", box, raising=False)
    (tmp_path / "late_entry.py").write_text(
        "from torchreid_amd.core.registry import box\n@box.register\nclass late: pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "late_entry", raising=False)
    box.add_module("late_entry", "late")
    assert box.list() == ["late"] and "late" in box and len(box) == 1
    assert "late_entry" not in sys.modules
    assert box["late"] is sys.modules["late_entry"].late
    assert box.list() == ["late"] and len(box) == 1


def test_a_name_that_waits_for_its_module_is_taken(monkeypatch, tmp_path):
    box: Registry = Registry("box")
    monkeypatch.setattr(registry, "box", box, raising=False)
    (tmp_path / "taken_entry.py").write_text(
        "from torchreid_amd.core.registry import box\n@box.register\nclass taken: pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "taken_entry", raising=False)
    box.add_module("taken_entry", "taken")
    with pytest.raises(InputError, match="box 'taken' is already registered"):
        box.add("taken", 2)
    box.add("taken", 3, override=True)
    assert box["taken"] == 3


@pytest.mark.parametrize(
    "read", [lambda box: box["a"], lambda box: "a" in box, len, list, lambda box: box.list("a*")]
)
def test_what_is_to_be_done_before_reading_is_done_once(read):
    box: Registry = Registry("box")
    registry.before_reading(lambda: box.add("a", len(box) + 1))  # reads while it is called
    assert read(box) in (1, True, ["a"])
    assert box["a"] == 1 and box.list() == ["a"]


class _Points:
    """Entry points as installed packages would declare them."""

    def __init__(self, *points):
        self.points = points

    def __call__(self, *, group):
        assert group == "torchreid_amd.plugins"
        return self.points


def test_broken_plugin_is_named_and_does_not_stop_the_rest(monkeypatch, tmp_path):
    (tmp_path / "good_plugin.py").write_text(
        "from torchreid_amd.core.registry import register_head\n"
        "def add():\n"
        "    @register_head(name='from_a_plugin')\n"
        "    class Head: pass\n"
    )
    (tmp_path / "bad_plugin.py").write_text("raise OSError('no such device')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    group = entry_points.PLUGIN_GROUP
    points = _Points(
        metadata.EntryPoint("broken", "bad_plugin", group),
        metadata.EntryPoint("fine", "good_plugin:add", group),
    )
    monkeypatch.setattr(entry_points, "entry_points", points)
    with pytest.warns(UserWarning, match=r"plug-in 'broken' \(bad_plugin\).*OSError: no such device"):
        failed = entry_points.load_plugins()
    try:
        assert list(failed) == ["broken"]
        assert "from_a_plugin" in registry.heads
    finally:
        registry.heads.remove("from_a_plugin")
