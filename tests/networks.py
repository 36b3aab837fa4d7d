"""Networks nobody has heard of, for cuts by hand."""

import torch
from torch import nn
from torch.nn import functional as F


def conv(channels_in, channels_out, stride=2):
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, 1),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class TwoBranches(nn.Module):
    """A coarse map and a fine one beside each other, pooled and joined."""

    def __init__(self):
        super().__init__()
        self.start = nn.Sequential(conv(3, 4), conv(4, 6), conv(6, 8))
        self.coarse = nn.Sequential(conv(8, 10), conv(10, 12, 1))
        self.fine = conv(8, 5, 1)
        self.fc = nn.Linear(17, 7)

    def forward(self, x):
        x = self.start(x)
        return self.fc(torch.cat([self.coarse(x).mean((2, 3)), self.fine(x).mean((2, 3))], 1))


class Moody(nn.Module):
    """What it computes depends on the numbers it sees: it cannot be traced."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.ModuleDict({"one": conv(3, 4), "two": conv(4, 6), "three": conv(6, 8)})
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.backbone["two"](self.backbone["one"](x))
        if x.sum() > 1e9:
            x = x * 0
        return self.fc(F.relu(self.backbone["three"](x), inplace=True).mean((2, 3)))


class AroundTheMap(TwoBranches):
    """A pooled early map goes past the late one."""

    def __init__(self):
        super().__init__()
        self.beside = nn.Linear(8, 17)

    def forward(self, x):
        x = self.start(x)
        late = torch.cat([self.coarse(x).mean((2, 3)), self.fine(x).mean((2, 3))], 1)
        return self.fc(late + self.beside(x.mean((2, 3))))


class MoodyAroundTheMap(Moody):
    def forward(self, x):
        x = self.backbone["two"](self.backbone["one"](x))
        late = self.backbone["three"](x).mean((2, 3))
        return self.fc(late) + (x.mean((1, 2, 3))[:, None] if x.sum() < 1e9 else 0)


class Twice(nn.Module):
    """One module runs two times."""

    def __init__(self):
        super().__init__()
        self.start, self.same, self.fc = conv(3, 8), conv(8, 8, 1), nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.same(self.same(self.start(x))).mean((2, 3)))


def plain():
    """A sequence with an in-place ReLU behind its last convolution."""
    return nn.Sequential(
        *(nn.Conv2d(3, 4, 3, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(6, 5)),
    )
