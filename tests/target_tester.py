"""Every law that holds for a target and its interpreter, for one target after the other."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from torchreid_amd import create_interpreter
from torchreid_amd.account.accountant import account_values
from torchreid_amd.account.swapping import players_of
from torchreid_amd.attributes.parts import PARTS
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core import host
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets import Target
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.tail import principal

EUCLIDEAN = get_distance("euclidean")
THREE = AttributeSchema("three", ("a", "b", "c"))


def noise(batch, size):
    """Images that differ in colour too: of noise alone, all averages are nearly the same."""
    seeded = torch.Generator().manual_seed(7)
    return torch.randn(batch, 3, *size, generator=seeded) + torch.randn(batch, 3, 1, 1, generator=seeded)


@dataclass
class Subject:
    """A target with what the laws need of it.

    ``sizes``: (H, W) to try; ``model`` as it was built, ``held``: its state before it was cut;
    ``compiled``: whether to compile and export it, which takes longer than all the rest.
    """

    name: str
    model: nn.Module
    target: Target
    interpreter: Interpreter
    sizes: tuple[tuple[int, int], ...]
    held: dict[str, torch.Tensor]
    attributes: dict[str, set[str]]
    compiled: bool

    @property
    def images(self):
        return noise(3, self.sizes[0])


def calibrated(name, size):
    """A model whose BatchNorm statistics fit its input, so that activations keep a sane scale."""
    torch.manual_seed(0)
    model = host.build_model(name, num_classes=3)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    usual = [m.momentum for m in norms]
    for module in norms:
        module.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(noise(4, size))
    for module, momentum in zip(norms, usual, strict=True):
        module.momentum = momentum
    return model.eval()


def own_attributes(model):
    """What stands in every module, so that what was left behind shows."""
    return {path: set(vars(module)) for path, module in model.named_modules()}


def subject(name, sizes, compiled=False):
    """A calibrated model of the factory, its target and an interpreter with maps that vary."""
    model = calibrated(name, sizes[0])
    attributes = own_attributes(model)
    held = {k: v.clone() for k, v in model.state_dict().items()}
    target = build_target(model, name=name)
    interpreter = create_interpreter(target, "amd", THREE)
    vary(interpreter, noise(3, sizes[0]))
    return Subject(name, model, target, interpreter, tuple(sizes), held, attributes, compiled)


@torch.no_grad()
def vary(interpreter, images):
    """Random maps of a usual spread: their logarithms neither all zero nor beyond float32."""
    head = interpreter.head
    nn.init.normal_(head.decomposition.project.weight)
    features = principal(head.body(interpreter.target.stem(images)))
    logits = head.decomposition.project(head.decomposition.spatial(features))
    head.decomposition.project.weight.div_(logits.std())


class AsTuple(nn.Module):
    """An interpreter whose output torch.export knows."""

    def __init__(self, interpreter):
        super().__init__()
        self.interpreter = interpreter

    def forward(self, images):
        out = self.interpreter(images)
        return out.embedding, out.maps, out.components


def relative(a, b):
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-12))


class TargetTester:
    """Methods are run for every ``subject``, a fixture of the module that uses this class."""

    @pytest.mark.parametrize("batch", [1, 3])
    def test_law(self, subject, batch):
        for size in subject.sizes:
            images = noise(batch, size)
            with torch.no_grad():
                own = subject.model(images)
            early, features = subject.target.features(images)
            assert relative(subject.target.tail(features), own) <= 1e-5
            assert principal(features).shape[2:].numel() > 1
            assert subject.target.law_error(images) <= 1e-5
            with torch.no_grad():
                assert relative(subject.interpreter(images).embedding, own) <= 1e-5

    def test_parts_do_not_overwrite_what_they_are_given(self, subject):
        early, features = subject.target.features(subject.images)
        early, features = (t if isinstance(t, tuple) else (t,) for t in (early, features))
        held = [t.clone() for t in (*early, *features)]
        subject.target.body(early if len(early) > 1 else early[0])
        subject.target.tail(features if len(features) > 1 else features[0])
        assert all(torch.equal(a, b) for a, b in zip(held, (*early, *features), strict=True))

    @pytest.mark.parametrize("head", ["amd", "attrimeter"])
    def test_maps_and_components(self, subject, head):
        interpreter = subject.interpreter
        if head != "amd":
            interpreter = create_interpreter(subject.target, head=head, attributes=THREE)
        features = subject.target.features(subject.images)[1]
        with torch.no_grad():
            out = interpreter(subject.images)
        assert out.maps.shape == (3, 3, *principal(features).shape[2:])
        assert torch.isfinite(out.maps).all() and (out.maps > 0).all()
        assert out.components.shape == (3, 3, out.embedding.shape[1])
        assert torch.isfinite(out.components).all()

    def test_components_by_their_definition(self, subject):
        """e_k = T(A_k ⊙ F), one attribute at a time; maps of ones give the embedding itself."""
        tail, features = subject.target.tail, subject.target.features(subject.images)[1]
        generator = torch.Generator().manual_seed(1)
        maps = torch.rand(3, 4, *principal(features).shape[2:], generator=generator) * 2
        with torch.no_grad():
            fast = tail.components(maps, features)
            slow = torch.stack([tail(tail.weighted(maps[:, k : k + 1], features)) for k in range(4)], 1)
            whole, ones = tail(features), tail.components(torch.ones_like(maps), features)
        assert relative(fast, slow) <= 1e-4
        assert relative(ones, whole.unsqueeze(1).expand_as(ones)) <= 1e-4

    def test_contributions(self, subject):
        with torch.no_grad():
            out = subject.interpreter(subject.images)
        ab = subject.interpreter.compare(out[[0, 0, 1]], out[[1, 2, 2]])
        ba = subject.interpreter.compare(out[[1, 2, 2]], out[[0, 0, 1]])
        torch.testing.assert_close(ab.contributions, ba.contributions)
        torch.testing.assert_close(ab.contributions.sum(1) + ab.residual, ab.distance)
        torch.testing.assert_close(ab.shares.sum(1), torch.ones(3))
        assert (ab.distance > 0).all()
        same = subject.interpreter.compare(out, out)
        assert not same.distance.any() and not same.contributions.any()

    def test_a_step_of_training_leaves_the_target_alone(self, subject):
        interpreter = create_interpreter(subject.target, "amd", THREE).train()
        before = {k: v.clone() for k, v in interpreter.head.state_dict().items()}
        optimizer = torch.optim.SGD([p for p in interpreter.parameters() if p.requires_grad], lr=1e-3)
        out = interpreter(subject.images)
        (out.components / out.embedding.abs().max()).square().sum().backward()
        assert all(p.grad is None for p in subject.model.parameters())
        reached = [p for p in interpreter.head.parameters() if p.grad is not None and p.grad.any()]
        assert len(reached) > len(list(interpreter.head.decomposition.parameters()))
        optimizer.step()
        after = subject.model.state_dict()
        assert after.keys() == subject.held.keys()
        assert all(torch.equal(v, subject.held[k]) for k, v in after.items())
        assert any(not torch.equal(v, before[k]) for k, v in interpreter.head.state_dict().items())
        assert not any(m.training for m in subject.target.modules())

    def test_the_additive_head_is_exact(self, subject):
        interpreter = create_interpreter(subject.target, "additive", THREE).train()
        labels = torch.tensor([[1, 0, 1], [0, 1, 0], [1, -1, 0]])
        loss = sum(interpreter.head.loss(subject.target, subject.images, labels).values())
        loss.backward()
        assert all(p.grad is None for p in subject.model.parameters())
        assert all(p.grad is not None for p in interpreter.head.parameters())
        with torch.no_grad():
            out = interpreter.eval()(subject.images)
        assert torch.isfinite(out.maps).all() and (out.maps > 0).all() and (out.maps <= 1).all()
        assert out.components.shape == (3, 3, out.embedding.shape[1]) and out.components.any()
        pair = interpreter.compare(out[[0, 1, 2]], out[[1, 2, 0]])
        assert (pair.residual.abs() <= 1e-5 * pair.distance).all()
        assert all(torch.equal(v, subject.held[k]) for k, v in subject.model.state_dict().items())

    def test_values_of_swapped_parts_add_up_to_the_distance(self, subject):
        size, seeded = subject.sizes[0], np.random.default_rng(0)
        base = seeded.integers(0, 256, (2, *size, 3)) // 2 + seeded.integers(0, 128, (2, 1, 1, 3))
        a, b = base.astype(np.uint8)
        regions = np.zeros(size, np.int8)
        for k in range(1, len(PARTS)):
            regions[k * size[0] // len(PARTS) :] = k
        decomposer = Decomposer(subject.interpreter, size)
        both = decomposer.embed_pixels(np.stack([a, b]))
        many = decomposer.embed_pixels(np.stack([a, b] * 16)).unflatten(0, (16, 2))
        noise = float((many - both).norm(dim=2).amax(0).sum())  # of float32, where a batch is another
        whole = EUCLIDEAN.between(*both)
        values = account_values(
            decomposer.embed_pixels, EUCLIDEAN, (a, b), (regions, regions), players_of(PARTS[1:])
        ).values
        assert whole > 0 and noise < 1e-3 * float(whole)
        assert abs(values.sum() - float(whole)) <= 1e-5 * float(whole) + noise

    def test_save_and_reload(self, subject):
        memory = io.BytesIO()
        torch.save(subject.interpreter.head.state_dict(), memory)
        memory.seek(0)
        torch.manual_seed(99)
        again = create_interpreter(subject.target, "amd", THREE)
        again.head.load_state_dict(torch.load(memory, weights_only=True))
        with torch.no_grad():
            a, b = subject.interpreter(subject.images), again(subject.images)
        assert torch.equal(a.maps, b.maps) and torch.equal(a.components, b.components)

    @pytest.mark.heavy
    def test_compile(self, subject):
        self._like_eager(subject, lambda m: torch.compile(m, backend="eager", fullgraph=True))
        torch.compiler.reset()

    @pytest.mark.heavy
    def test_export(self, subject):
        self._like_eager(subject, lambda m: torch.export.export(m, (subject.images,)).module())

    def _like_eager(self, subject, change):
        if not subject.compiled:
            pytest.skip("another model of its family is compiled and exported")
        with torch.no_grad():
            plain = AsTuple(subject.interpreter).eval()(subject.images)
            try:
                changed = change(AsTuple(subject.interpreter).eval())(subject.images)
            except Exception as error:
                ours = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
                try:
                    change(subject.model)(subject.images)
                except Exception:
                    pytest.skip(f"the model itself does not allow it ({ours[:100]})")
                raise
        for a, b in zip(plain, changed, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(a.abs().max()))

    def test_nothing_is_left_behind(self, subject):
        with torch.no_grad():
            subject.interpreter(subject.images)
        for module in subject.model.modules():
            assert not module._forward_hooks and not module._forward_pre_hooks
            assert not module._backward_hooks and not module._backward_pre_hooks
        assert own_attributes(subject.model) == subject.attributes
        assert not any(p.requires_grad for p in subject.model.parameters())
