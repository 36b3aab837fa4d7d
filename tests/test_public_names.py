"""Public names: found when they are asked for, the same that type checkers see, each with an example."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import torchreid_amd as amd
from torchreid_amd import datasets


def named_for_type_checkers(module: ModuleType) -> dict[str, tuple[str, str]]:
    """Name -> (module, name there), from the imports under ``if TYPE_CHECKING``."""
    assert module.__file__
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    blocks = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    imports = [n for block in blocks for n in block.body if isinstance(n, ast.ImportFrom)]
    return {a.asname or a.name: (str(n.module), a.name) for n in imports for a in n.names}


@pytest.mark.parametrize("module", [amd, datasets], ids=["torchreid_amd", "datasets"])
def test_names_that_wait_are_those_that_type_checkers_see(module: ModuleType) -> None:
    seen = named_for_type_checkers(module)
    assert set(seen) <= set(module.__all__) <= set(dir(module))
    for name, (home, original) in seen.items():
        value = getattr(importlib.import_module(home), original, None)
        value = importlib.import_module(f"{home}.{original}") if value is None else value
        assert module.__getattr__(name) is value is getattr(module, name), name
    assert all(hasattr(module, name) for name in module.__all__)


def test_every_public_name_is_one_that_type_checkers_see() -> None:
    assert set(named_for_type_checkers(amd)) == set(amd.__all__)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'torchreid_amd' has no attribute 'explian'"):
        amd.explian  # type: ignore[attr-defined]  # noqa: B018
    assert "Explainer" in dir(amd) and "__version__" in dir(amd)


@pytest.mark.parametrize("name", [n for n in amd.__all__ if not inspect.ismodule(getattr(amd, n))])
def test_every_public_name_has_an_example_that_the_tests_run(name: str) -> None:
    value = getattr(amd, name)
    home = importlib.import_module(value.__module__)
    assert home.__name__.startswith("torchreid_amd."), "doctests are collected from this package"
    assert ">>>" in (inspect.getdoc(value) or "")
