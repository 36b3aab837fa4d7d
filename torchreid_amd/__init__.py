"""Attribute-guided explanations for torchreid models.

Importing the package registers everything into torchreid: data sets with attributes, a factory
entry ``amd_<model>`` for every model, the AMD engine and its losses. :func:`uninstall` puts
torchreid back.
"""

from torchreid_amd import attributes, datasets, losses, targets
from torchreid_amd.attributes import AttributeSchema, AttributeTable
from torchreid_amd.config import get_default_config
from torchreid_amd.core.errors import InputError
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
from torchreid_amd.evaluation import reweighting as reweight
from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.explanation.explanation import Explanation, Ranking
from torchreid_amd.interpreter.decomposition import Comparison, Decomposition
from torchreid_amd.interpreter.interpreter import Interpreter, create_interpreter
from torchreid_amd.interpreter.run_folder import load_run, save_run
from torchreid_amd.plugin import install, load_plugins, uninstall
from torchreid_amd.targets import Target, cut, cut_by_name, register_target
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.weights import fingerprint, load_weights, read_state_dict

__version__ = "0.1.0"

__all__ = [
    "AttributeSchema",
    "AttributeTable",
    "Comparison",
    "Decomposition",
    "Explainer",
    "Explanation",
    "InputError",
    "Interpreter",
    "Ranking",
    "Target",
    "attributes",
    "build_target",
    "create_interpreter",
    "cut",
    "cut_by_name",
    "datasets",
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
    "read_state_dict",
    "register_attributes",
    "register_dataset",
    "register_head",
    "register_loss",
    "register_target",
    "reweight",
    "save_run",
    "targets",
    "uninstall",
]

load_plugins()
install()
