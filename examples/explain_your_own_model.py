"""Explain models nobody has heard of: a network of two branches, and a plain nn.Sequential.

    python examples/explain_your_own_model.py

Each is cut by naming its modules, gets an interpreter, and that is trained for some seconds on
drawn figures: a head, a coloured top, coloured trousers, perhaps a bag. Then pairs that
differ in one thing are explained.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

import torchreid_amd as amd
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.interpreter import shares_of
from torchreid_amd.losses import AttributePriorLoss, MetricDistillationLoss
from torchreid_amd.losses.pairs import batch_pairs

SIZE = (64, 32)
COLOURS = {"red": (0.9, 0.1, 0.1), "green": (0.1, 0.8, 0.2), "blue": (0.1, 0.2, 0.9)}
SCHEMA = amd.AttributeSchema(
    "figures",
    (*(f"top {c}" for c in COLOURS), *(f"trousers {c}" for c in COLOURS), "bag"),
    {"top": tuple(f"top {c}" for c in COLOURS), "trousers": tuple(f"trousers {c}" for c in COLOURS)},
)


def conv(channels_in: int, channels_out: int, stride: int = 2) -> nn.Sequential:
    convolution = nn.Conv2d(channels_in, channels_out, 3, stride, 1)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU())


class TwoBranches(nn.Module):
    """A coarse map and a fine one beside each other; the embedding joins their averages."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Sequential(conv(3, 16), conv(16, 24))
        self.coarse = nn.Sequential(conv(24, 48), conv(48, 48, 1))
        self.fine = conv(24, 32, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        return torch.cat([self.coarse(x).mean((2, 3)), self.fine(x).mean((2, 3))], 1)


def two_branches() -> amd.Target:
    return amd.cut(TwoBranches(), map=("fine", "coarse"), stem="start", size=SIZE, name="two branches")


def sequence() -> amd.Target:
    model = nn.Sequential(
        *(conv(3, 16), conv(16, 32), conv(32, 48, 1)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 32)),
    )
    return amd.cut(model, map="2", stem="0", size=SIZE, name="sequence")


def draw(labels: Tensor) -> Tensor:
    """Figures (N, 3, 64, 32) with these attributes (N, M), somewhere in the picture, before noise."""
    images = 0.45 + 0.06 * torch.randn(len(labels), 3, *SIZE)
    palette = torch.tensor(list(COLOURS.values()))
    for image, label in zip(images, labels, strict=True):
        dy, dx = (int(torch.randint(-3, 4, ())) for _ in range(2))
        top, trousers = palette[label[:3].argmax()], palette[label[3:6].argmax()]
        for rows, columns, colour in (
            ((6, 14), (13, 19), torch.tensor([0.8, 0.6, 0.5])),
            ((14, 34), (9, 23), top),
            ((34, 58), (10, 22), trousers),
            *([((26, 38), (23, 29), torch.tensor([0.05, 0.05, 0.05]))] if label[6] else []),
        ):
            box = image[:, rows[0] + dy : rows[1] + dy, columns[0] + dx : columns[1] + dx]
            box.copy_(colour[:, None, None] + 0.05 * torch.randn_like(box))
    return images * 4 - 2


def people(number: int) -> Tensor:
    """Attributes (N, M) drawn at random: a colour above, a colour below, a bag or none."""
    colours = [torch.eye(3, dtype=torch.long)[torch.randint(3, (number,))] for _ in range(2)]
    return torch.cat([*colours, torch.randint(2, (number, 1))], 1)


def train(interpreter: amd.Interpreter, steps: int) -> None:
    """Metric distillation and attribute prior, over all pairs of small batches."""
    distillation = MetricDistillationLoss(weight=100)  # the distances of these models are small
    prior = AttributePriorLoss(SCHEMA.group_indices())
    optimizer = torch.optim.Adam([p for p in interpreter.parameters() if p.requires_grad], lr=2e-3)
    distance = get_distance(interpreter.metric)
    interpreter.train()
    for _ in range(steps):
        labels = people(16)
        out = interpreter(draw(labels))
        i, j = batch_pairs(len(labels))
        parts = distance.between(out.components[i], out.components[j])
        whole = distance.between(out.embedding[i], out.embedding[j])
        distilled = distillation.total(distillation(whole, parts))
        loss = distilled + prior.total(prior(shares_of(parts), labels[i], labels[j]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    interpreter.eval()


def show(interpreter: amd.Interpreter, what: str, a: str, b: str) -> None:
    """Explain two figures given in words: ``'red blue bag'`` is a red top, blue trousers, a bag."""

    def figure(words: str) -> Tensor:
        top, trousers, *bag = words.split()
        worn = {f"top {top}", f"trousers {trousers}", *bag}
        return torch.tensor([[int(name in worn) for name in SCHEMA.attributes]])

    with torch.no_grad():
        pair = interpreter.compare(*(interpreter(draw(figure(words).repeat(8, 1))) for words in (a, b)))
    shares = pair.shares.mean(0)
    leading = ", ".join(
        f"{SCHEMA.attributes[k]} {shares[k]:.0%}" for k in shares.argsort(descending=True)[:3]
    )
    left = (pair.residual.mean() / pair.distance.mean()).item()
    print(f"  {what:<18} distance {pair.distance.mean():.3f}, residual {left:+.0%}: {leading}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=150, help="training steps (default: 150)")
    args = parser.parse_args()
    for make in (two_branches, sequence):
        torch.manual_seed(0)
        target = make()
        where = ", ".join(target.cut_point.maps)
        print(f"{target.name}: cut at {where}; law error {target.law_error(draw(people(4))):.0e}")
        interpreter = amd.create_interpreter(target, "amd", SCHEMA)
        train(interpreter, args.steps)
        show(interpreter, "another top", "red blue", "green blue")
        show(interpreter, "other trousers", "red blue", "red green")
        show(interpreter, "a bag", "red blue bag", "red blue")
        show(interpreter, "everything differs", "red blue bag", "blue green")


if __name__ == "__main__":
    main()
