"""What the package imports is declared, what it declares is pinned, and the top level stays tidy."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "torchreid_amd"
#: import name -> name on the registry, where they differ
DISTRIBUTIONS = {
    "PIL": "pillow",
    "axe_playwright_python": "axe-playwright-python",
    "cv2": "opencv-python-headless",
    "faiss": "faiss-cpu",
    "fontTools": "fonttools",
    "yaml": "pyyaml",
}
EXTRAS = ("faiss", "onnx")  #: what is imported where somebody asks for it


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def name_of(requirement: str) -> str:
    """``Pillow>=10; python_version…`` -> ``pillow``."""
    match = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert match, requirement
    return match[0].lower().replace("_", "-")


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def declared(extra: str = "") -> list[str]:
    parser = settings()
    return lines(parser["options.extras_require"][extra] if extra else parser["options"]["install_requires"])


def imported(folder: Path) -> dict[str, Path]:
    """Top-level names of everything imported anywhere under a folder, with a file that does it."""
    found: dict[str, Path] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            found |= {name.split(".")[0]: path for name in names}
    return {n: p for n, p in found.items() if n not in sys.stdlib_module_names and n != "torchreid_amd"}


def test_every_import_of_the_package_is_declared() -> None:
    known = {name_of(r) for part in ("", *EXTRAS) for r in declared(part)}
    missing = {n: p for n, p in imported(PACKAGE).items() if DISTRIBUTIONS.get(n, n).lower() not in known}
    assert not missing


def test_every_import_of_the_tests_is_declared() -> None:
    known = {name_of(r) for r in declared() + declared("dev")}
    own = {p.stem for p in (ROOT / "tests").iterdir()}
    found = imported(ROOT / "tests").items()
    missing = {n: p for n, p in found if n not in own and DISTRIBUTIONS.get(n, n).lower() not in known}
    assert not missing


def test_what_torchreid_imports_without_declaring_it_is_declared() -> None:
    spec = importlib.util.find_spec("torchreid")
    assert spec and spec.origin
    torchreid, distributions = Path(spec.origin).parent, packages_distributions()
    known = {name_of(r) for r in declared()}
    ignored = {"torchreid", "setuptools", "distutils", "Cython", "layer", "NewDataset"}
    for name, path in imported(torchreid).items():
        if name in ignored or path.name == "setup.py" or "test" in path.name:
            continue
        names = {d.lower() for d in distributions.get(name, [name])} | {DISTRIBUTIONS.get(name, name).lower()}
        assert names & known, f"{name}, imported by {path}"


def test_every_requirement_has_a_lower_bound_and_a_pin_that_keeps_it() -> None:
    pins: dict[str, list[tuple[int, ...]]] = {}
    for line in lines((ROOT / "examples" / "requirements.txt").read_text()):
        match = re.fullmatch(r"([\w.-]+)==([\d.]+)(; python_version (<|>=) \"3\.11\")?", line)
        assert match, line
        pins.setdefault(name_of(match[1]), []).append(tuple(int(n) for n in match[2].split(".")))
    for requirement in declared() + declared("dev"):
        match = re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement)
        assert match, requirement
        bound = tuple(int(n) for n in match[2].split("."))
        assert all(pin >= bound for pin in pins.pop(name_of(match[1])))
    assert not pins, "pinned, but not required"


def test_the_version_stands_in_two_places_and_is_the_same() -> None:
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    assert found and found[1] == settings()["metadata"]["version"]


def test_the_typed_marker_and_the_licence_are_shipped() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert "py.typed" in settings()["options.package_data"]["torchreid_amd"]
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


PAGE = """
import numpy as np
import torchreid_amd as amd
from PIL import Image

print(amd.__file__)
schema = amd.AttributeSchema("two", ("hat", "bag"))
maps, half = np.ones((2, 8, 4), np.float32), np.array([0.5, 0.5])
sides = (maps, maps), (Image.new("RGB", (4, 8)),) * 2, ("A", "B")
print(amd.Explanation(1.0, "euclidean", half, half, 0.0, schema, *sides).to_html())
"""


def test_a_page_is_made_by_an_installed_wheel(tmp_path: Path) -> None:
    source, wheels, site = tmp_path / "source", tmp_path / "wheels", tmp_path / "site"
    kept = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=kept)  # a build leaves folders in its source
    for name in ("setup.cfg", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(wheels), str(source)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.glob("*.whl")
    install = [*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    templates = Path("explanation", "report", "templates")
    shipped = {p.name for p in (site / PACKAGE.name / templates).iterdir()}
    assert shipped == {p.name for p in (PACKAGE / templates).iterdir()}
    assert {Path(name).suffix for name in shipped} == {".html", ".css", ".js"}
    languages = {p.name for p in (site / PACKAGE.name / "core" / "languages").iterdir()}
    assert languages == {p.name for p in (PACKAGE / "core" / "languages").iterdir()}
    assert (site / PACKAGE.name / "account" / "part_network.safetensors").is_file()
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", PAGE], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    where, page = done.stdout.split("\n", 1)
    assert Path(where).is_relative_to(site)
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>") and "hat" in page


def tracked() -> list[str]:
    try:
        done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return done.stdout.splitlines()


def test_the_top_level_stays_as_agreed() -> None:
    agreed = {"torchreid_amd", "examples", "tests", "setup.cfg", "setup.py", "README.md", "LICENSE"}
    top = {name.split("/")[0] for name in tracked()}
    assert {name for name in top if not name.startswith(".")} <= agreed


def test_no_weights_no_annotations_and_no_large_files_are_tracked() -> None:
    """But for the one small network learnt from the package's own drawings."""
    own = "torchreid_amd/account/part_network.safetensors"
    assert (ROOT / own).stat().st_size < 250_000
    for name in set(tracked()) - {own}:
        assert not re.search(r"\.(pth|pt|ckpt|onnx|mat|safetensors|tar)$", name), name
        path = ROOT / name
        assert not path.exists() or path.stat().st_size < 1_500_000, name


def test_every_package_folder_is_a_package() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert (path.parent / "__init__.py").is_file(), path
