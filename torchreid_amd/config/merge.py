"""Merging a YAML file and ``KEY VALUE`` pairs into a configuration, with errors that help."""

from __future__ import annotations

import ast
import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from yacs.config import CfgNode

from torchreid_amd.config.tree import get_default_config
from torchreid_amd.core.errors import InputError

#: Keys of earlier versions and what they are called now; runs trained then are read with it.
RENAMED: dict[str, str] = {}


def merge(cfg: CfgNode, config_file: str | os.PathLike[str] = "", opts: Sequence[str] = ()) -> CfgNode:
    """Change a configuration by a file, then by pairs; in place, all of it or nothing.

    Unlike plain yacs, an integer is taken where a float belongs, ``true``, ``false``, ``on`` and
    ``off`` where a truth value belongs, and any text where text belongs (a folder called ``2024``).

    Args:
        cfg: the configuration, e.g. of :func:`torchreid_amd.config.get_default_config`.
        config_file: a YAML file of nested keys, e.g. one of torchreid's; none if empty.
        opts: ``KEY VALUE KEY VALUE …``, keys with dots, e.g. ``['train.lr', '0.01']``.

    Returns:
        ``cfg``.

    Raises:
        InputError: a file that cannot be read, an unknown key (with the nearest known ones), a
            value of the wrong type, or a key without a value.
    """
    changes: list[tuple[str, Any, str]] = []
    if config_file:
        where = f" in {str(config_file)!r}"
        changes += [(k, v, where) for k, v in _read(Path(config_file).expanduser())]
    if len(opts) % 2:
        raise InputError(
            f"options come as KEY VALUE pairs, but the last one is {opts[-1]!r} alone; "
            "give it a value (quote lists: \"['a', 'b']\")"
        )
    changes += [(str(k), v, "") for k, v in zip(opts[::2], opts[1::2], strict=True)]
    fitted = [(_node(cfg, key, where), key, value, where) for key, value, where in changes]
    values = [_fit(node[key.split(".")[-1]], value, key, where) for node, key, value, where in fitted]
    for (node, key, _, _), value in zip(fitted, values, strict=True):
        node[key.split(".")[-1]] = value
    return cfg


def config_of_run(config: Mapping[str, Any]) -> CfgNode:
    """The configuration a run was trained with, as a tree; what the run did not know has its default.

    Args:
        config: as ``run.json`` holds it (``Run.config``), nested.

    Raises:
        InputError: a key that this version lacks, or a value of the wrong type.
    """
    cfg, where = get_default_config(), " of the run"
    for old, value in flat(config):
        if old == "use_gpu":  # of the machine, not of the run
            continue
        key = RENAMED.get(old, old)
        try:
            node, name = _node(cfg, key, where), key.split(".")[-1]
            as_it_stands = isinstance(value, str) and isinstance(node[name], str)
            node[name] = value if as_it_stands else _fit(node[name], value, key, where)
        except InputError as error:
            raise InputError(
                "the run was trained with another version of torchreid_amd (use that one, or take the key "
                f"out of run.json): {error}"
            ) from None
    return cfg


def _read(path: Path) -> list[tuple[str, Any]]:
    if not path.is_file():
        raise InputError(f"no configuration file at {str(path)!r}; give a YAML file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"configuration file {str(path)!r} is not readable YAML: {reason}") from None
    if content is None:
        return []
    if not isinstance(content, Mapping):
        raise InputError(
            f"configuration file {str(path)!r} holds a {type(content).__name__}; "
            "expected nested keys such as 'train: {lr: 0.01}'"
        )
    return list(flat(content))


def flat(content: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of a nested configuration."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _node(cfg: CfgNode, key: str, where: str) -> CfgNode:
    """The node that holds the last part of a key."""
    *nodes, last = key.split(".")
    node = cfg
    for name in nodes:
        node = node.get(name) if isinstance(node, CfgNode) else None
    if not isinstance(node, CfgNode) or last not in node:
        known = [k for k, _ in flat(cfg)]
        near = [k for k in known if k.split(".")[-1] == last] or difflib.get_close_matches(key, known, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; top-level keys are {', '.join(cfg)}"
        raise InputError(f"unknown configuration key {key!r}{where}{hint}")
    if isinstance(node[last], CfgNode):
        inside = ", ".join(f"{key}.{k}" for k in node[last])
        raise InputError(f"configuration key {key!r}{where} is a group; set one of {inside}")
    return node


def _fit(current: Any, given: Any, key: str, where: str) -> Any:
    """The given value as the type of the current one."""
    value = _decode(given)
    if isinstance(current, str):
        if value is None or isinstance(value, str):
            return value or ""
        if isinstance(given, str):
            return given
    elif isinstance(current, bool):
        if isinstance(value, str) and value.lower() in ("true", "false", "on", "off"):
            return value.lower() in ("true", "on")
        if isinstance(value, bool):
            return value
    elif isinstance(current, float):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif isinstance(current, (list, tuple)):
        if isinstance(value, (list, tuple)):
            sample = current[0] if current else None
            return type(current)(v if sample is None else _fit(sample, v, key, where) for v in value)
    elif current is None or type(value) is type(current):
        return value
    kind = type(current).__name__
    example = f'"{current}"' if isinstance(current, (list, tuple)) else repr(current)
    raise InputError(f"{key}{where} is {given!r}, expected a value of type {kind} such as {example}")


def _decode(given: Any) -> Any:
    """Text as the Python literal it spells, if it spells one."""
    if not isinstance(given, str):
        return given
    try:
        return ast.literal_eval(given)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return given
