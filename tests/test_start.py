"""A command line that answers at once: what an import brings in, and what it leaves until it is needed.

Times are not tested, modules are: torch takes 1 s to import, torchreid 3 s, SciPy's statistics 1 s.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from torchreid_amd.cli import SPINS
from torchreid_amd.core.import_hook import ImportHook

ROOT = Path(__file__).parents[1]
HEAVY = ("torchreid", "torchvision", "timm", "scipy", "torch._dynamo", "matplotlib", "tensorboard", "cv2")


def python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in a process of its own; it must end well."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
        | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        | environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result


# -- what comes in ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, "COMMAND"),
        (["rank", "--help"], 0, "--topk"),
        (["rank", "run"], 2, "got 1 paths; expected RUN QUERY GALLERY"),
        (["audit", "run", "--pairs", "1"], 2, "--pairs is 1; give at least 2"),
        (["expalin", "a", "b"], 2, "invalid choice: 'expalin'"),
        (["explain", "run", "a", "b", "--jsn", "x"], 2, "unrecognized arguments: --jsn x"),
        (["list", "haeds"], 2, "did you mean 'heads'"),
    ],
)
def test_help_and_argument_errors_come_without_torch(arguments: list[str], code: int, said: str) -> None:
    result = python(
        "import sys\n"
        "from torchreid_amd.cli import main\n"
        "try:\n"
        f"    code = main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        f"assert code == {code}, code\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    assert said in result.stdout + result.stderr


def test_lists_come_without_torchreid_and_threads_are_told_to_wait_asleep() -> None:
    result = python(
        "import sys\n"
        "from torchreid_amd.cli import main\n"
        "for kind in ('heads', 'losses', 'targets', 'datasets', 'attributes', 'zoo'):\n"
        "    assert main(['list', kind]) == 0\n"
        f"print(set({HEAVY!r}) & set(sys.modules))\n",
        OMP_DISPLAY_ENV="VERBOSE",  # OpenMP says what it read, when torch loads it
    )
    printed = result.stdout.split("\n")
    assert printed[-2] == "set()"
    assert {"amd", "attribute_prior", "osnet_x1_0", "market1501_attr", "synthetic_attr_night"} <= set(printed)
    said = re.findall(r"GOMP_SPINCOUNT\s*=\s*'(\w+)'", result.stderr)
    assert set(said) <= {SPINS}, result.stderr
    assert said or "GOMP" not in result.stderr


#: file -> why it imports modules by name, with ``import_module``
BY_NAME = {
    "__init__.py": "public names, torchreid's hook and registration, for a fast command line",
    "core/lazy_names.py": "the same, for public names",
    "core/registry.py": "data sets, whose classes extend torchreid's, without torchreid",
    "core/host.py": "torchreid, where it is needed first",
    "targets/timm/names.py": "timm, where one of its names is asked for",
    "interpreter/inspection.py": "the user's own module, package.module:function",
}


def test_modules_are_imported_by_name_only_where_it_is_listed_why() -> None:
    """Import statements: ``test_architecture.py``."""
    package = ROOT / "torchreid_amd"
    found = set()
    for path in package.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        called = {ast.unparse(n.func).split(".")[-1] for n in nodes if isinstance(n, ast.Call)}
        if called & {"import_module", "__import__", "resolve_name"}:
            found.add(path.relative_to(package).as_posix())
    assert found == set(BY_NAME)


def test_the_quickstart_has_threads_wait_as_the_command_does() -> None:
    script = (ROOT / "examples" / "quickstart.sh").read_text(encoding="utf-8")
    setting = next(line for line in script.splitlines() if "GOMP_SPINCOUNT" in line)
    for given, said in (("", SPINS), ("OMP_WAIT_POLICY=ACTIVE ", ""), ("GOMP_SPINCOUNT=7 ", "7")):
        command = f"set -eu; {setting}; echo ${{GOMP_SPINCOUNT:-}}"
        clean = f"env -u GOMP_SPINCOUNT -u OMP_WAIT_POLICY {given}bash -c '{command}'"
        assert subprocess.run(clean, shell=True, capture_output=True, text=True).stdout.strip() == said


# -- torchreid, whenever it is imported -----------------------------------------------------------

_REGISTERED = """
import torchreid
names = ["amd_osnet_x0_25", "timm_resnet18", "amd_timm_resnet18"]
known = list(torchreid.models.__dict__["__model_factory"].keys())
assert all(name in known for name in names)
assert torchreid.engine.ImageAMDEngine.__name__ == "ImageAMDEngine"
assert torchreid.engine.ImageSoftmaxEngine.__mro__[1].__name__ == "ImageSoftmaxEngine"
assert torchreid.losses.AttributePriorLoss.__name__ == "AttributePriorLoss"
assert "market1501_attr" in torchreid.data.register_image_dataset.__globals__["__image_datasets"]
import sys
assert not any(type(finder).__name__ == "ImportHook" for finder in sys.meta_path)
"""
#: torchvision cannot be imported before this package where its operators do not match torch
_OPERATORS = """
import torch
try:
    import torchvision
except RuntimeError:
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


@pytest.mark.parametrize(
    "first",
    [
        "import torchreid_amd, sys\nassert 'torch' not in sys.modules\nimport torchreid",
        _OPERATORS + "import torchreid\nimport torchreid_amd",
        "from torchreid_amd.datasets import Market1501Attr",  # stands on torchreid's class
        "from torchreid_amd.engine.engine import ImageAMDEngine",
        "import torchreid_amd, torchvision, timm, sys\nassert 'torchreid' not in sys.modules",
    ],
    ids=["ours first", "torchreid first", "a data set first", "the engine first", "torchvision between"],
)
def test_everything_is_registered_in_any_order(first: str) -> None:
    python(first + _REGISTERED)


def test_uninstalled_before_torchreid_is_imported() -> None:
    python(
        "import torchreid_amd\n"
        "torchreid_amd.uninstall()\n"
        "import torchreid\n"
        "assert not hasattr(torchreid.engine, 'ImageAMDEngine')\n"
        "assert not any(n.startswith('amd_') for n in torchreid.models.__dict__['__model_factory'].keys())\n"
    )


# -- the hook, on packages made for it ------------------------------------------------------------


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``late_host`` and ``late_own`` (outer imports inner, which imports the host)."""
    own = tmp_path / "late_own"
    own.mkdir()
    (own / "__init__.py").touch()
    (own / "outer.py").write_text("import late_own.inner\ncomplete = True\n")
    (own / "inner.py").write_text("import late_host\n")
    (own / "broken.py").write_text("import late_host\nraise OSError('broken')\n")
    (tmp_path / "late_host.py").write_text("import late_other\n")
    (tmp_path / "late_other.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("late_own")
    yield
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, ImportHook)]
    for name in [n for n in sys.modules if n.startswith("late_")]:
        del sys.modules[name]


def hook(action: Callable[[], Any], around: Any = None) -> ImportHook:
    made = ImportHook("late_host", "late_own", action, around or {})
    made.start()
    return made


def imported(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_the_hook_acts_when_the_outermost_module_is_whole(packages: None) -> None:
    seen: list[bool] = []
    made = hook(lambda: seen.append(sys.modules["late_own.outer"].complete))
    imported("late_own.outer")
    assert seen == [True] and made not in sys.meta_path
    assert "exec_module" not in vars(sys.modules["late_own.outer"].__spec__.loader)  # type: ignore[union-attr]


def test_the_hook_acts_once_for_an_import_from_outside_and_at_once_when_it_is_there(packages: None) -> None:
    seen: list[str] = []
    hook(lambda: seen.append("later"))
    imported("late_other")
    assert seen == []
    imported("late_host")
    imported("late_own.outer")
    assert seen == ["later"]
    made = hook(lambda: seen.append("at once"))
    assert seen == ["later", "at once"] and made not in sys.meta_path


def test_an_import_that_fails_is_not_one_under_way_for_ever(packages: None) -> None:
    seen: list[str] = []
    hook(lambda: seen.append("done"))
    with pytest.raises(OSError, match="broken"):
        imported("late_own.broken")
    imported("late_own.outer")
    assert seen == ["done"]


def test_other_imports_run_inside_what_is_put_around_them(packages: None) -> None:
    seen: list[str] = []

    def around(load: Callable[[], None]) -> None:
        seen.append("before")
        load()
        seen.append("after")

    hook(lambda: seen.append("host"), {"late_other": around})
    imported("late_host")
    assert seen == ["before", "after", "host"]
