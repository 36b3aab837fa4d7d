"""The shared tester over models of timm: some quick ones by default, the others behind ``heavy``.

All of them: ``pytest tests/test_timm.py -m "heavy or not heavy"``.
"""

import pytest
from target_tester import TargetTester
from target_tester import subject as make

#: names by family
FAMILIES = {
    "ResNet": "resnet18.a1_in1k resnet10t ecaresnet26t seresnet50 skresnet18 resnext26ts",
    "ResNet, split": "resnest14d res2net50d",
    "ResNetV2": "resnetv2_18",
    "NFNet": "nf_regnet_b0",
    "ConvNeXt": "convnext_atto convnextv2_atto",
    "EfficientNet": "efficientnet_b0 tf_efficientnetv2_b0 mixnet_s mnasnet_small fbnetc_100 tinynet_e",
    "MobileNet": "mobilenetv3_small_050 mobilenetv2_035 mobilenetv4_conv_small_035 lcnet_050",
    "MobileNet with attention": "mobilenetv4_hybrid_medium",
    "RegNet": "regnetx_002 regnety_002",
    "RepVGG": "repvgg_a0 mobileone_s0",
    "HRNet": "hrnet_w18_small",
    "GhostNet": "ghostnet_050 repghostnet_050",
    "DenseNet": "densenet121",
    "DLA": "dla46_c",
    "DPN": "dpn48b",
    "VGG": "vgg11_bn",
    "Inception": "inception_v3 inception_next_atto",
    "Xception": "xception41",
    "VoVNet": "ese_vovnet19b_slim_dw",
    "ReXNet": "rexnet_100",
    "CSPNet": "cs3darknet_focus_s",
    "HGNet": "hgnetv2_b0",
    "StarNet": "starnet_s050",
    "ViT": "vit_tiny_patch16_224 vit_wee_patch16_reg1_gap_256 vit_tiny_r_s16_p8_224",
    "DINO": "vit_small_patch14_reg4_dinov2 vit_small_patch14_dinov2.lvd142m vit_small_patch16_dinov3",
    "ViT, relative positions": "vit_relpos_small_patch16_224",
    "DeiT": "deit_tiny_distilled_patch16_224 deit_tiny_patch16_224 deit3_small_patch16_224",
    "EVA": "eva02_tiny_patch14_224",
    "BEiT": "beit_base_patch16_224",
    "Swin": "swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 swinv2_cr_tiny_224",
    "PVT": "pvt_v2_b0",
    "MetaFormer": "poolformer_s12 caformer_s18",
    "MaxViT": "maxvit_pico_rw_256 coatnet_pico_rw_224",
    "MobileViT": "mobilevit_xxs",
    "FastViT": "fastvit_t8",
    "EfficientViT": "efficientvit_b0 efficientvit_m0",
    "EdgeNeXt": "edgenext_xx_small",
    "EfficientFormerV2": "efficientformerv2_s0",
    "RepViT": "repvit_m0_9",
    "TinyViT": "tiny_vit_5m_224",
    "FocalNet": "focalnet_tiny_srf",
    "MLP": "gmlp_ti16_224 mixer_s32_224",
}
#: beginnings of the names that take images of one size only
FIXED = ("vit_relpos", "beit", "maxvit", "coatnet", "gmlp", "mixer", "efficientformerv2")
NAMES = [name for names in FAMILIES.values() for name in names.split()]
QUICK = (
    *("resnet18.a1_in1k", "convnext_atto", "efficientnet_b0", "mobilenetv3_small_050", "regnetx_002"),
    *("repvgg_a0", "ghostnet_050", "starnet_s050", "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"),
    *("vit_wee_patch16_reg1_gap_256", "eva02_tiny_patch14_224", "swinv2_cr_tiny_224", "pvt_v2_b0"),
    "gmlp_ti16_224",
)
COMPILED = (*QUICK[:6], "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224")


def sizes(name):
    """(H, W) to try: two, unless the model takes one only."""
    if name == "inception_v3":  # halves its maps five times without padding
        return (256, 128), (299, 299)
    return ((256, 128),) if name.startswith(FIXED) else ((128, 64), (160, 96))


@pytest.fixture(
    scope="module", params=[n if n in QUICK else pytest.param(n, marks=pytest.mark.heavy) for n in NAMES]
)
def subject(request):
    return make(f"timm_{request.param}", sizes(request.param))


def test_forty_names_of_twelve_families():
    assert len(set(NAMES)) == len(NAMES) >= 40
    assert len(FAMILIES) >= 12
    assert set(QUICK) | set(COMPILED) <= set(NAMES)


class TestTimm(TargetTester):
    test_compile = test_export = None  # slow: below, for some

    def test_the_size_is_as_said(self, subject):
        assert subject.target.fixed_size == subject.name.removeprefix("timm_").startswith(FIXED)


@pytest.mark.heavy
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_and_exported(name):
    made = make(f"timm_{name}", sizes(name))
    TargetTester().test_compile(made)
    TargetTester().test_export(made)
