"""From photographs to decompositions, on a toy whose embedding is the mean colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_interpreter import SIZE, WEIGHTS, noisy, plain, toy_interpreter

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import to_tensor
from torchreid_amd.evaluation.data.decomposed_images import decompose_batches
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.data.testbed import decomposed
from torchreid_amd.interpreter.decomposer import BATCH, Decomposer

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.4, 0.2)


def toy() -> Decomposer:
    return Decomposer(toy_interpreter(), SIZE, MEAN, STD)


def test_photographs_are_read_as_torchreid_reads_them(tmp_path: Path) -> None:
    noisy(1).save(tmp_path / "a.png")
    seen = toy().read([tmp_path / "a.png", noisy(1), np.asarray(noisy(1))])
    assert torch.equal(seen, to_tensor(noisy(1), SIZE, MEAN, STD).expand(3, -1, -1, -1))
    # one colour by hand: (255/255 − 0.1) / 0.5, (0 − 0.2) / 0.4, (51/255 − 0.3) / 0.2
    [embedding] = toy().embed(toy().read([plain(255, 0, 51)])).tolist()
    assert embedding == pytest.approx([1.8, -0.5, -0.5])


def test_components_by_hand_in_any_batches() -> None:
    found = toy().decompose(toy().read([plain(255, 0, 51), *map(noisy, range(4))]), batch_size=2)
    assert len(found) == 5
    by_hand = torch.tensor([1.8, -0.5, -0.5]) * torch.tensor(WEIGHTS).unsqueeze(1)
    torch.testing.assert_close(found.components[0], by_hand)
    one = toy().decompose(toy().read([noisy(3)]))
    torch.testing.assert_close(found.components[4], one.components[0])
    torch.testing.assert_close(found.maps[4], one.maps[0])


def test_embeddings_are_the_targets_own_forward() -> None:
    decomposer = toy()
    decomposer.interpreter.target.model.forward = lambda images: images.flatten(1)[:, :2]  # type: ignore
    images = decomposer.read([noisy(1), noisy(2), noisy(3)])
    assert torch.equal(decomposer.embed(images, batch_size=2), images.flatten(1)[:, :2])


def test_files_in_their_order_over_several_batches(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{n}.png") for n in range(BATCH + 2)]
    for n, path in enumerate(paths):
        plain(n).save(path)
    reds = toy().embed_files(paths)[:, 0] * STD[0] + MEAN[0]
    assert (reds * 255).tolist() == pytest.approx(list(range(BATCH + 2)), abs=1e-3)


def test_the_interpreter_gets_its_modes_back_and_no_gradient_is_kept() -> None:
    decomposer = toy()
    interpreter = decomposer.interpreter.train()
    interpreter.head.noise.eval()
    before = [module.training for module in interpreter.modules()]
    images = decomposer.read([noisy(1)])
    out = decomposer.decompose(images)
    assert [module.training for module in interpreter.modules()] == before and any(before)
    assert not out.components.requires_grad and not decomposer.embed(images).requires_grad


def test_it_computes_in_the_interpreters_precision() -> None:
    decomposer = toy()
    decomposer.interpreter.double()
    assert decomposer.read([noisy(1)]).dtype == torch.float64
    assert decomposer.decompose(toy().read([noisy(1)])).components.dtype == torch.float64


def test_the_same_input_for_another_interpreter() -> None:
    other = toy().of(toy_interpreter("cosine"))
    assert other.interpreter.metric == "cosine"
    assert (other.size, other.norm_mean, other.norm_std) == (SIZE, MEAN, STD)


def test_what_is_not_finite_is_named() -> None:
    decomposer = toy()
    images = decomposer.read([noisy(1), noisy(2)])
    images[1, 0, 0, 0] = torch.inf
    with pytest.raises(InputError, match="embedding of 'b.png' is not finite"):
        decomposer.embed(images, ["a.png", "b.png"])
    with torch.no_grad():
        decomposer.interpreter.head.weights[1] = torch.nan
    with pytest.raises(InputError, match="of 'a.png' is not finite"):
        decomposer.decompose(images[:1], ["a.png"])
    assert decomposer.decompose(images).components.isnan().any()  # without names nobody asked


def test_batches_of_an_evaluation(tmp_path: Path) -> None:
    decomposer = toy()
    people = [plain(40 * n, 255 - 40 * n, 90) for n in range(5)]
    images = decomposer.read(people)
    embedding, components = decompose_batches(decomposer, images.split(3), normalize=True)
    norm = images.mean((2, 3)).norm(dim=1, keepdim=True)
    torch.testing.assert_close(embedding, images.mean((2, 3)) / norm)
    by_hand = embedding.unsqueeze(1) * torch.tensor(WEIGHTS).view(1, -1, 1)
    assert components.dtype == torch.float16
    torch.testing.assert_close(components.float(), by_hand, atol=2e-3, rtol=2e-3)

    paths = tuple(str(tmp_path / f"{n}.png") for n in range(5))
    for n, path in enumerate(paths):
        people[n].save(path)
    labels = np.array([[1, 0, -1]] * 5, dtype=np.int8)
    some = LabelledImages(paths, np.arange(5), np.arange(5) % 2, labels)
    again = decomposed(decomposer, some, normalize=True)
    torch.testing.assert_close(again.embedding, embedding)
    assert again.pids.tolist() == [0, 1, 2, 3, 4] and again.camids.tolist() == [0, 1, 0, 1, 0]
    assert again.known_labels.tolist() == labels.tolist()
