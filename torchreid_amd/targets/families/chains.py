"""Where torchreid's own models are cut: a line or two a family.

A cut takes the model and returns its :class:`Target`. Registered are names of torchreid's model
factory; other names go the automatic way.
"""

from __future__ import annotations

from torch import nn

from torchreid_amd.core.registry import register_target, targets
from torchreid_amd.targets.cuts.automatic import automatic_cut
from torchreid_amd.targets.cuts.by_chain import cut_by_name
from torchreid_amd.targets.target import Target

_OSNET_WIDTHS = ("x1_0", "x0_75", "x0_5", "x0_25")


@register_target(*(f"osnet_{w}" for w in _OSNET_WIDTHS), "osnet_ibn_x1_0")
def osnet(model: nn.Module) -> Target:
    """Zhou et al., ICCV 2019. conv2 and conv3 end in their own down-sampling."""
    return cut_by_name(
        model,
        stem=("conv1", "maxpool", "conv2", "conv3"),
        body=("conv4", "conv5"),
        pool="global_avgpool",
        neck=("fc",),
    )


@register_target(*(f"osnet_ain_{w}" for w in _OSNET_WIDTHS))
def osnet_ain(model: nn.Module) -> Target:
    """Zhou et al., TPAMI 2021. The down-sampling stands beside the stages."""
    return cut_by_name(
        model,
        stem=("conv1", "maxpool", "conv2", "pool2", "conv3", "pool3"),
        body=("conv4", "conv5"),
        pool="global_avgpool",
        neck=("fc",),
    )


@register_target(
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet50_fc512"),
    *("resnext50_32x4d", "resnext101_32x8d"),
)
def resnet(model: nn.Module) -> Target:
    """He et al., CVPR 2016; the paper's own targets: the stem ends with stage 2."""
    return cut_by_name(
        model,
        stem=("conv1", "bn1", "relu", "maxpool", "layer1", "layer2"),
        body=("layer3", "layer4"),
        pool="global_avgpool",
        neck=("fc",),
    )


@register_target("resnet50_ibn_a", "resnet50_ibn_b")
def resnet_ibn(model: nn.Module) -> Target:
    """Pan et al., ECCV 2018."""
    return cut_by_name(
        model,
        stem=("conv1", "bn1", "relu", "maxpool", "layer1", "layer2"),
        body=("layer3", "layer4"),
        pool="avgpool",
    )


for _name in (
    *("mobilenetv2_x1_0", "mobilenetv2_x1_4"),
    *("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"),
    *("densenet121", "densenet161", "densenet169", "densenet201", "densenet121_fc512"),
    *("squeezenet1_0", "squeezenet1_0_fc512", "squeezenet1_1"),
    "shufflenet",
    *("se_resnet50", "se_resnet50_fc512", "se_resnet101", "se_resnext50_32x4d", "se_resnext101_32x4d"),
):
    targets.add(_name, automatic_cut)


@register_target("inceptionv4", "inceptionresnetv2", "xception")
def wide_images(model: nn.Module) -> Target:
    """Szegedy et al., AAAI 2017; Chollet, CVPR 2017. Made for 299×299, where they are traced."""
    return automatic_cut(model, size=(299, 299))
