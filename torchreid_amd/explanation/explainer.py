"""Explaining photographs with a trained interpreter.

Chen et al., *Explainable Person Re-Identification with Attribute-guided Metric Distillation*,
ICCV 2021.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from torchreid_amd.account.accountant import Accountant
from torchreid_amd.attributes.photograph_labels import PhotographLabels
from torchreid_amd.attributes.schema import NONE, AttributeSchema
from torchreid_amd.core import host
from torchreid_amd.core.devices import usable_device
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ImageLike,
    list_images,
    to_tensor,
)
from torchreid_amd.explanation.batches import Batches
from torchreid_amd.explanation.explanation import Explanation, Ranking
from torchreid_amd.explanation.origin import made_by
from torchreid_amd.explanation.photograph_gallery import rank_photographs
from torchreid_amd.explanation.photographs import (
    GivenLabels,
    LabelsByPath,
)
from torchreid_amd.explanation.stored_gallery import rank_stored
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.of_run import readouts_of_run
from torchreid_amd.gallery.readouts import AttributeReadouts
from torchreid_amd.gallery.rerank import Reranker
from torchreid_amd.gallery.seen import look
from torchreid_amd.gallery.store import Store
from torchreid_amd.gallery.stored_seen import seen_blocks, stores_among
from torchreid_amd.heads.nothing import NoHead
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.interpreter.run_folder import load_run
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.classifier import classes_of
from torchreid_amd.targets.state_dicts import read_state_dict
from torchreid_amd.targets.weights import load_weights

__all__ = ["Explainer", "Explanation", "Ranking"]


class Explainer:
    """Explains distances between photographs.

    Args:
        interpreter: a trained interpreter.
        size: (H, W) of the target's input in pixels; what the target is made for, if not given.
        norm_mean: channel means of torchreid's normalisation.
        norm_std: channel standard deviations of it.
        device: where to compute; where the interpreter is, if not given.
        labels: where to look up the labels of photographs given as paths; a source with other
            attributes is projected on the interpreter's by name.
        account: whether explanations have an account of the whole distance, by intervention; without it
            they take a fraction of the time.

    ``config`` is the configuration of the run it comes from, nested; empty where it comes from none.
    ``readouts`` are what :meth:`attributes` are read off by; None until they are needed.

    Photographs are paths, PIL images or arrays; see :func:`torchreid_amd.core.images.read_image`. The
    interpreter computes in eval mode and without gradients, and gets its mode back.

    Example:
        >>> import torchreid_amd as amd
        >>> from PIL import Image
        >>> interpreter = amd.create_interpreter("osnet_x0_25", head="amd")  # as if it were trained
        >>> explainer = amd.Explainer(interpreter, size=(64, 32))
        >>> a, b, c = (Image.new("RGB", (32, 64), colour) for colour in ("red", "navy", "white"))
        >>> explanation = explainer.explain(a, b)
        >>> explanation.contributions.shape, explanation.maps[0].shape
        ((26,), (26, 64, 32))
        >>> [len(e.attributes) for e in explainer.explain_many([(a, b), (a, c)])]
        [26, 26]
    """

    def __init__(
        self,
        interpreter: Interpreter,
        size: tuple[int, int] | None = None,
        norm_mean: Sequence[float] = IMAGENET_MEAN,
        norm_std: Sequence[float] = IMAGENET_STD,
        device: torch.device | str | None = None,
        labels: LabelsByPath | None = None,
        account: bool = True,
    ) -> None:
        size = interpreter.target.size if size is None else size
        if len(size) != 2 or min(size) < 1:
            raise InputError(f"size is {size!r}; expected (height, width) in pixels, e.g. (256, 128)")
        self.interpreter = interpreter if device is None else interpreter.to(usable_device(device))
        self.size = (int(size[0]), int(size[1]))
        self.norm_mean, self.norm_std = tuple(norm_mean), tuple(norm_std)
        self._decomposer = Decomposer(self.interpreter, self.size, self.norm_mean, self.norm_std)
        self.schema = interpreter.attributes
        known = getattr(labels, "schema", self.schema)
        if labels is not None and known.attributes != self.schema.attributes:
            labels = labels.project(self.schema)  # type: ignore[attr-defined]
        self.labels = labels
        self.config: dict[str, Any] = {}
        self.readouts: AttributeReadouts | None = None
        self._folder: str | os.PathLike[str] | None = None
        self.account = account
        self._accountant = Accountant(self._decomposer)
        self.made_by = made_by(self.interpreter)

    @classmethod
    def from_target(
        cls,
        model: nn.Module | str,
        weights: str | os.PathLike[str] | None = None,
        size: tuple[int, int] | None = None,
        metric: str = "euclidean",
        device: torch.device | str | None = None,
    ) -> Explainer:
        """An explainer of a model alone, without training: accounts in parts, no attributes.

        Args:
            model: any ReID model, or the name of one in torchreid.
            weights: a checkpoint of it; a model given by name has random weights without it.
            size: (H, W) of its input in pixels; that of the target, if not given.
            metric: ``'euclidean'`` (plain), ``'squared_euclidean'`` or ``'cosine'``.
            device: where to compute; where the model is, if not given.

        Raises:
            InputError: an unknown name, a model that cannot be cut, or weights that do not fit.
        """
        made_for: dict[str, Any] = {}
        if isinstance(model, str) and model.startswith(host.TIMM) and size:
            made_for["size"] = size
        target = build_target(model, **made_for)
        if weights is not None:
            skipped = load_weights(target.model, weights, quiet=True).skipped
            classes = classes_of(read_state_dict(weights)) if skipped and isinstance(model, str) else 0
            if classes:  # its own classifier, which tells whom it was trained on
                target = build_target(model, **made_for, num_classes=classes)
                load_weights(target.model, weights, quiet=True)
        nobody = AttributeSchema(NONE, ())
        return cls(Interpreter(target, NoHead(), nobody, metric), size or target.size, device=device)

    @classmethod
    def from_pretrained(
        cls,
        folder: str | os.PathLike[str],
        weights: str | os.PathLike[str] | None = None,
        device: torch.device | str | None = None,
        labels: LabelsByPath | None = None,
    ) -> Explainer:
        """An explainer from the run folder that training wrote.

        Args:
            folder: the run folder.
            weights: the target's weights, where they are no longer at the path the run remembers.
            device: where to compute.
            labels: where to look up the labels of photographs given as paths; the run's own data sets,
                where they still are, if not given.

        Raises:
            InputError: the folder is no run folder, the weights are missing or others, or the run's
                configuration is that of another version.
        """
        run = load_run(folder, weights=weights)
        labels = PhotographLabels(run.config, run.schema) if labels is None else labels
        explainer = cls(run.interpreter, run.size, run.norm_mean, run.norm_std, device, labels)
        explainer.config, explainer._folder = run.config, folder
        explainer.made_by = made_by(run.interpreter, folder)
        return explainer

    def explain(
        self, a: ImageLike, b: ImageLike, labels_a: GivenLabels = None, labels_b: GivenLabels = None
    ) -> Explanation:
        """Explain the distance of two photographs.

        Args:
            a: photograph A.
            b: photograph B.
            labels_a: attributes of the person on A, where known: (M,) of 1, 0, −1, or a dictionary.
            labels_b: the same for B.

        Raises:
            InputError: a photograph cannot be read, labels do not fit the attributes, or the
                model gives an embedding that is not finite.
        """
        return next(self.explain_many([(a, b, labels_a, labels_b)]))

    def explain_many(self, pairs: Iterable[tuple[Any, ...]], batch_size: int = 64) -> Iterator[Explanation]:
        """Explain pairs in batches, in the order given; the same as :meth:`explain` for each.

        Args:
            pairs: ``(a, b)`` or ``(a, b, labels_a, labels_b)``; read as they are needed.
            batch_size: pairs a batch, and images a forward pass.

        Raises:
            InputError: as :meth:`explain`, or an item is no pair.
        """
        _check_batch(batch_size)
        return self._batches().explain(iter(pairs), batch_size)

    def explain_ranking(
        self,
        query: ImageLike,
        gallery: Iterable[ImageLike | Store] | str | os.PathLike[str] | Store,
        topk: int = 10,
        batch_size: int = 64,
        same: Sequence[bool | None] | None = None,
        search: str = "exact",
        reranker: Reranker | None = None,
    ) -> Ranking:
        """Rank a gallery by the target's distance and explain the nearest.

        Args:
            query: the query photograph.
            gallery: N photographs, a folder of image files, or stored features (a
                :class:`~torchreid_amd.gallery.store.Store`, or several).
            topk: how many of the nearest to explain; all where there are fewer.
            batch_size: images a forward pass.
            same: whether each gallery photograph shows the query's person; where it is not given,
                the run's data sets tell of their own photographs, and file names in the manner of
                Market-1501 (``0002_c1s1_….jpg``) of others unless the run's are named otherwise.
            search: of stored features: ``'exact'``, or by FAISS ``'flat'`` or ``'ivfpq'``.
            reranker: orders photographs by what is seen, too; distances stay the target's.

        Raises:
            InputError: as :meth:`explain`; or the gallery is empty, ``topk`` below 1, ``same``
                of another length, or a store that is unfinished or of another model.
        """
        _check_batch(batch_size)
        if topk < 1:
            raise InputError(f"topk is {topk}; explain at least 1 photograph")
        photographs: list[Any] = [gallery]
        if not isinstance(gallery, Store):
            photographs = list_images(gallery) if isinstance(gallery, str | os.PathLike) else list(gallery)
        stores = [given for given in photographs if isinstance(given, Store)]
        if stores and len(stores) == len(photographs):
            return rank_stored(self, query, stores, topk, batch_size, search, reranker)
        if search != "exact":
            raise InputError(f"search is {search!r}; an index is of stored features, extract them first")
        return rank_photographs(self._batches(), query, photographs, topk, batch_size, same, reranker)

    def attributes(self, photographs: Sequence[ImageLike] | Sequence[Store]) -> Tensor:
        """Calibrated probabilities of "yes" (N, M), of every attribute of the people on N photographs.

        Of stored features (``amd.extract(…, seen=True)``) no photograph is opened.

        They are read off the target's own layers. In a run they are learnt from its training photographs
        when they are first asked for, unless a re-ranker was kept there; an explainer of a model alone is
        given those of a re-ranker (``explainer.readouts = reranker.readouts``).

        Raises:
            InputError: a photograph cannot be read, or nobody is known to learn from.
        """
        if self.readouts is None:
            self.readouts = readouts_of_run(self._decomposer, self.config, self.schema, self._folder)
        given: Any = photographs
        stores = stores_among(given, Mark.of(self._decomposer))
        blocks = seen_blocks(stores) if stores else [look(self._decomposer, given)]
        return torch.cat([self.readouts.probabilities(block.features) for block in blocks])

    @property
    def decomposer(self) -> Decomposer:
        """The interpreter with its input."""
        return self._decomposer

    def preprocess(self, image: Image.Image) -> Tensor:
        """torchreid's test transform of one RGB image: (3, H, W)."""
        return to_tensor(image, self.size, self.norm_mean, self.norm_std)

    def _batches(self) -> Batches:
        accountant = self._accountant if self.account else None
        return Batches(self._decomposer, accountant, self.labels, self.made_by)


def _check_batch(batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; give at least 1")
