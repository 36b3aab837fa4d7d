"""The plan of the house: a room imports only rooms below it, nothing goes in a circle or hides.

Read off the syntax trees, so that nothing has to be imported for it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "torchreid_amd"

#: From the roof down; rooms on one floor do not know each other.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("__init__",),
    ("plugin",),
    ("engine",),
    ("auditing",),
    ("evaluation",),
    ("explanation",),
    ("account",),
    ("gallery",),
    ("interpreter",),
    ("heads", "losses", "datasets"),
    ("targets",),
    ("attributes",),
    ("config",),
    ("core",),
)
FLOOR = {room: -number for number, rooms in enumerate(FLOORS) for room in rooms}

_COMMAND = "a command loads what it needs, so that --help answers at once"
_ASKED = "for type checkers; a name is imported when it is asked for, so that --help answers at once"
_DRAWING = "matplotlib takes longer to import than everything else together"
#: Imports that do not stand at the top of their file: (file, what is imported) and why.
LAZY = {
    ("cli/", "*"): _COMMAND,
    ("__init__.py", "*"): _ASKED,
    ("datasets/__init__.py", "*"): _ASKED,
    ("attributes/mat.py", "scipy.io"): "needed where a .mat file is read, and nowhere else",
    ("explanation/explanation.py", "matplotlib.figure"): _DRAWING,
    ("explanation/explanation.py", "torchreid_amd.explanation.report.layout"): _DRAWING,
    ("explanation/explanation.py", "torchreid_amd.explanation.report.pair_figure"): _DRAWING,
    ("explanation/explanation.py", "torchreid_amd.explanation.report.paper_figure"): _DRAWING,
    ("explanation/explanation.py", "torchreid_amd.explanation.report.ranking_figure"): _DRAWING,
    ("engine/evaluate.py", "torchreid_amd.evaluation.report.figures"): _DRAWING,
    ("auditing/audit.py", "matplotlib.figure"): _DRAWING,
    ("auditing/audit.py", "torchreid_amd.auditing.report.figure"): _DRAWING,
    ("auditing/audit.py", "torchreid_amd.explanation.report.layout"): _DRAWING,
    ("datasets/synthetic/rendering.py", "fcntl"): "there is none on Windows",
    ("interpreter/export.py", "onnxruntime"): "an extra: needed where somebody asks for it, and nowhere else",
    ("interpreter/export.py", "onnxscript"): "an extra: needed where somebody asks for it, and nowhere else",
    ("gallery/approximate.py", "faiss"): "an extra: needed where somebody asks for it, and nowhere else",
    ("gallery/writer.py", "fcntl"): "there is none on Windows",
}

FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def module_of(name: str) -> str:
    """``'core/host.py'`` is ``torchreid_amd.core.host``, ``'core/__init__.py'`` ``torchreid_amd.core``."""
    parts = ("torchreid_amd", *name.removesuffix(".py").split("/"))
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(name): name for name in FILES}


def room_of(name: str) -> str:
    return name.split("/")[0].removesuffix(".py")


def imported(node: ast.AST) -> Iterator[str]:
    """Modules that a statement imports; ``from package import module`` counts as that module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name the whole path"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in MODULES else str(node.module)


def imports(name: str) -> Iterator[tuple[str, bool]]:
    """What a file imports, anywhere in it, and whether that stands at its top."""
    at_top = set(map(id, TREES[name].body))
    for node in ast.walk(TREES[name]):
        for module in imported(node):
            yield module, id(node) in at_top


OURS = {name: {MODULES[m] for m, _ in imports(name) if m in MODULES} - {name} for name in FILES}


def test_every_file_is_in_a_room() -> None:
    assert {room_of(name) for name in FILES} <= set(FLOOR)


@pytest.mark.parametrize("room", [room for room in FLOOR if any(room_of(n) == room for n in FILES)])
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in OURS.items()
        for other in others
        if room_of(name) == room != room_of(other) and FLOOR[room_of(other)] >= FLOOR[room]
    ]
    assert not wrong


def test_no_circle_between_modules() -> None:
    left = dict(OURS)
    while ready := [name for name, others in left.items() if not others & left.keys()]:
        for name in ready:
            del left[name]
    assert not left, "these import each other, or something that does"


def test_imports_stand_at_the_top() -> None:
    found = {(name, module) for name in FILES for module, at_top in imports(name) if not at_top}
    found = {("cli/", module) if name.startswith("cli/") else (name, module) for name, module in found}
    found = {(name, "*") if (name, "*") in LAZY else (name, module) for name, module in found}
    assert found == set(LAZY)


def test_one_file_knows_torchreid() -> None:
    def knows(name: str) -> bool:
        calls = [n for n in ast.walk(TREES[name]) if isinstance(n, ast.Call) and n.args]
        asked = {ast.unparse(c.args[0]) for c in calls if ast.unparse(c.func).endswith("import_module")}
        return "'torchreid'" in asked or "torchreid" in {m.split(".")[0] for m, _ in imports(name)}

    assert [name for name in FILES if knows(name)] == ["core/host.py"]


def test_no_file_takes_a_private_name_of_another() -> None:
    taken = [
        f"{name}: {alias.name} of {node.module}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("torchreid_amd")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not taken
