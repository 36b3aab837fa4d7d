"""Attribute-guided explanations for torchreid models.

Importing the package registers everything into torchreid, at once if that is imported already,
else when it is: data sets with attributes, a factory entry ``amd_<model>`` for every model, the
AMD engine and its losses. :func:`uninstall` puts torchreid back.

Names are imported when they are asked for, so that the command line answers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from torchreid_amd.core.import_hook import ImportHook
from torchreid_amd.core.lazy_names import lazy_names
from torchreid_amd.core.registry import before_reading

if TYPE_CHECKING:
    from torchreid_amd import attributes, datasets, losses, targets
    from torchreid_amd.attributes import AttributeSchema, AttributeTable
    from torchreid_amd.auditing.audit import Audit, audit
    from torchreid_amd.config import get_default_config
    from torchreid_amd.core.entry_points import load_plugins
    from torchreid_amd.core.errors import InputError
    from torchreid_amd.core.language import set_language
    from torchreid_amd.core.messages import show_progress
    from torchreid_amd.core.registry import (
        list_attributes,
        list_datasets,
        list_heads,
        list_losses,
        list_targets,
        register_attributes,
        register_dataset,
        register_head,
        register_loss,
    )
    from torchreid_amd.engine.adapt import adapt
    from torchreid_amd.evaluation import reranking as rerank
    from torchreid_amd.evaluation import reweighting as reweight
    from torchreid_amd.explanation.explainer import Explainer
    from torchreid_amd.explanation.explanation import Explanation, Ranking
    from torchreid_amd.explanation.mean_maps import mean_maps
    from torchreid_amd.explanation.report.contact_sheet import contact_sheet
    from torchreid_amd.gallery.extract import extract
    from torchreid_amd.gallery.store import Store
    from torchreid_amd.interpreter.decomposition import Comparison, Decomposition
    from torchreid_amd.interpreter.interpreter import Interpreter, create_interpreter
    from torchreid_amd.interpreter.run_folder import load_run, save_run
    from torchreid_amd.plugin import install, uninstall
    from torchreid_amd.targets import Target, cut, cut_by_name, register_target
    from torchreid_amd.targets.build import build_target
    from torchreid_amd.targets.state_dicts import read_state_dict
    from torchreid_amd.targets.weights import fingerprint, load_weights
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "AttributeSchema": "attributes",
            "AttributeTable": "attributes",
            "Audit": "auditing.audit",
            "Comparison": "interpreter.decomposition",
            "Decomposition": "interpreter.decomposition",
            "Explainer": "explanation.explainer",
            "Explanation": "explanation.explanation",
            "InputError": "core.errors",
            "Interpreter": "interpreter.interpreter",
            "Ranking": "explanation.explanation",
            "Store": "gallery.store",
            "Target": "targets",
            "adapt": "engine.adapt",
            "attributes": "attributes:",
            "audit": "auditing.audit",
            "build_target": "targets.build",
            "contact_sheet": "explanation.report.contact_sheet",
            "create_interpreter": "interpreter.interpreter",
            "cut": "targets",
            "cut_by_name": "targets",
            "datasets": "datasets:",
            "extract": "gallery.extract",
            "fingerprint": "targets.weights",
            "get_default_config": "config",
            "install": "plugin",
            "list_attributes": "core.registry",
            "list_datasets": "core.registry",
            "list_heads": "core.registry",
            "list_losses": "core.registry",
            "list_targets": "core.registry",
            "load_plugins": "core.entry_points",
            "load_run": "interpreter.run_folder",
            "load_weights": "targets.weights",
            "losses": "losses:",
            "mean_maps": "explanation.mean_maps",
            "read_state_dict": "targets.state_dicts",
            "register_attributes": "attributes",
            "register_dataset": "datasets",
            "register_head": "heads",
            "register_loss": "losses",
            "register_target": "targets",
            "rerank": "evaluation.reranking:",
            "reweight": "evaluation.reweighting:",
            "save_run": "interpreter.run_folder",
            "set_language": "core.language",
            "show_progress": "core.messages",
            "targets": "targets:",
            "uninstall": "plugin",
        },
    )

__version__ = "0.1.0"

__all__ = [
    "AttributeSchema",
    "AttributeTable",
    "Audit",
    "Comparison",
    "Decomposition",
    "Explainer",
    "Explanation",
    "InputError",
    "Interpreter",
    "Ranking",
    "Store",
    "Target",
    "adapt",
    "attributes",
    "audit",
    "build_target",
    "contact_sheet",
    "create_interpreter",
    "cut",
    "cut_by_name",
    "datasets",
    "extract",
    "fingerprint",
    "get_default_config",
    "install",
    "list_attributes",
    "list_datasets",
    "list_heads",
    "list_losses",
    "list_targets",
    "load_plugins",
    "load_run",
    "load_weights",
    "losses",
    "mean_maps",
    "read_state_dict",
    "register_attributes",
    "register_dataset",
    "register_head",
    "register_loss",
    "register_target",
    "rerank",
    "reweight",
    "save_run",
    "set_language",
    "show_progress",
    "targets",
    "uninstall",
]


def _register_everything() -> None:
    """Import what registers itself, then what other packages add."""
    for room in ("attributes", "targets", "heads", "losses", "datasets"):
        import_module(f"{__name__}.{room}")
    import_module(f"{__name__}.core.entry_points").load_plugins()


def _install() -> None:
    import_module(f"{__name__}.plugin").install()


def _load_torchvision(load: Callable[[], None]) -> None:
    import_module(f"{__name__}.core.host").with_operators(load)


before_reading(_register_everything)
ImportHook("torchreid", __name__, _install, around={"torchvision": _load_torchvision}).start()
