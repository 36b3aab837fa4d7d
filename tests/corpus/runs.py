"""Run folders that are damaged, half there, or of another version."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import World, case


def spoiled(world: World, folder: Path, spoil: Callable[[Any], Any]) -> list[str]:
    """Explain with a copy of the run whose run.json was changed."""
    shutil.copytree(world.run, folder / "run")
    file = folder / "run" / "run.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    changed = spoil(record)
    file.write_text(changed if isinstance(changed, str) else json.dumps(record), encoding="utf-8")
    return ["explain", str(folder / "run"), world.a, world.b, "--json", str(folder / "o.json")]


@case(says="run.json")
def no_json(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: "{")


@case(says="run.json")
def a_list(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: "[1, 2]")


@case(says="run.json")
def nothing_in_it(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: r.clear())


@case(says="")
def an_unknown_key_is_passed_over(world: World, folder: Path) -> tuple[list[str], Callable[[], None]]:
    def check() -> None:
        told = json.loads((folder / "o.json").read_text(encoding="utf-8"))
        assert abs(told["distance"] - world.distance) <= 1e-6 * world.distance

    return spoiled(world, folder, lambda r: r.update(note="mine")), check


@case(says="unknown model|did you mean")
def a_model_of_nobody(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: r["target"].update(model="osnet_x9"))


@case(says="unknown head")
def a_head_of_nobody(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: r["interpreter"].update(head="nobody's"))


@case(says="unknown metric|metric")
def a_metric_of_nobody(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: r["interpreter"].update(metric="manhattan"))


@case(says="fingerprint|other weights|another")
def another_targets_fingerprint(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: r["target"].update(fingerprint="0" * 64))


@case(says="does not belong")
def another_heads_fingerprint(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: r["interpreter"].update(fingerprint="0" * 64))


@case(says="attribute set .* is empty")
def no_attributes(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: r["attributes"].update(attributes=[]))


@case(says="no finished run|interpreter.safetensors")
def without_its_head(world: World, folder: Path) -> list[str]:
    shutil.copytree(world.run, folder / "run")
    (folder / "run" / "interpreter.safetensors").unlink()
    return ["explain", str(folder / "run"), world.a, world.b]


@case(says="interpreter.safetensors")
def a_head_cut_short(world: World, folder: Path) -> list[str]:
    shutil.copytree(world.run, folder / "run")
    file = folder / "run" / "interpreter.safetensors"
    file.write_bytes(file.read_bytes()[:2000])
    return ["explain", str(folder / "run"), world.a, world.b]


@case(says="run.json|no run")
def an_empty_folder(world: World, folder: Path) -> list[str]:
    (folder / "run").mkdir()
    return ["explain", str(folder / "run"), world.a, world.b]


@case(says="run.json|no run|not a folder")
def no_folder(world: World, folder: Path) -> list[str]:
    return ["explain", str(folder / "nowhere"), world.a, world.b]


@case(says="run.json|no run|not a folder")
def a_file(world: World, folder: Path) -> list[str]:
    return ["explain", world.a, world.a, world.b]


@case(says="damaged: images of 64×32 pixels.*norm_std .0.2, 0.2, -6.4.")
def a_negative_deviation(world: World, folder: Path) -> list[str]:
    """Found by fuzzing: it was computed with."""
    return spoiled(world, folder, lambda r: r["input"].update(norm_std=[0.2, 0.2, -6.4]))


@case(says="damaged: .* 100000000000 identities")
def more_identities_than_memory(world: World, folder: Path) -> list[str]:
    """Found by fuzzing: a minute of asking for memory."""
    return spoiled(world, folder, lambda r: r["target"].update(num_classes=10**11))


@case(says="damaged: images of 0×32 pixels")
def images_of_no_height(world: World, folder: Path) -> list[str]:
    return spoiled(world, folder, lambda r: r["input"].update(size=[0, 32]))


@case(says="is damaged .TypeError")
def scores_that_are_a_number(world: World, folder: Path) -> list[str]:
    """Found by fuzzing: a traceback."""
    return spoiled(world, folder, lambda r: r.update(scores=0.5))
