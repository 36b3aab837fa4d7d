"""PCB: the embedding joins the normalised averages of horizontal stripes.

Sun et al., *Beyond Part Models: Person Retrieval with Refined Part Pooling*, ECCV 2018. Part
pooling is linear as well: components are weighted averages over the stripes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from torchreid_amd.core.registry import register_target
from torchreid_amd.targets.cuts.by_chain import chain
from torchreid_amd.targets.tail import AveragePoolTail
from torchreid_amd.targets.target import CutPoint, Target


class _Stripes(nn.Module):
    """(B, C, h, w) -> one normalised average a stripe, (B, C·stripes)."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        return functional.normalize(self.pool(features), p=2, dim=1).flatten(1)


@register_target("pcb_p4", "pcb_p6")
def pcb(model: nn.Module) -> Target:
    """Sun et al., ECCV 2018. Cut before the part pooling."""
    stem = chain(model, ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2"))
    pool = model.get_submodule("parts_avgpool")
    tail = AveragePoolTail(_Stripes(pool), grid=tuple(pool.output_size))  # type: ignore[arg-type]
    cut_point = CutPoint("layer2", ("layer4",), "by entry")
    return Target(stem, chain(model, ("layer3", "layer4")), tail, model=model, cut_point=cut_point)
