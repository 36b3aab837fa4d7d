"""The weights torchreid's authors publish: which there are, and where.

Facts from https://kaiyangzhou.github.io/deep-person-reid/MODEL_ZOO
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path

from torchreid_amd.core.registry import natural_key


@dataclass(frozen=True)
class Published:
    """A published file.

    Attributes:
        model: name in torchreid's factory.
        data: the data set(s) it was trained on, joined by ``+``; ``(all)``: test images included.
        loss: the identity loss, ``'-'`` for ImageNet classification.
        size: input height and width in pixels, ``'256x128'``.
        distance: how its authors compare embeddings, ``'-'`` for ImageNet classification.
        file: the file's identifier at Google Drive.
    """

    model: str
    data: str
    loss: str
    size: str
    distance: str
    file: str

    @property
    def url(self) -> str:
        """Where to download it."""
        return f"https://drive.google.com/file/d/{self.file}"

    def __str__(self) -> str:
        described = f"{self.model:<16}  {self.data:<30}  {self.loss:<7}  {self.size:<7}  {self.distance:<9}"
        return f"{described}  {self.url}"


def list_zoo(pattern: str = "*") -> list[Published]:
    """The published files of the models whose names match a wildcard pattern, in natural order."""
    found = [p for p in PUBLISHED if fnmatch.fnmatch(p.model, pattern)]
    return sorted(found, key=lambda p: natural_key(p.model))


def where_to_get(model: str, path: str) -> str:
    """In words, where weights of a model are published; ``''`` where none are.

    Args:
        model: a name in torchreid's factory.
        path: the file that was looked for; a data set in its name chooses.
    """
    files = sorted(list_zoo(model), key=lambda p: p.data == "imagenet")
    if not files:
        return ""
    name = Path(path).name.lower()
    wanted = [p for p in files if p.data[:4] in name]  # mark, duke, msmt, imag
    chosen = (wanted or files)[0]
    return f"torchreid publishes {model} trained on {chosen.data} at {chosen.url}"


_TABLE = """
shufflenet       imagenet                       -       256x128 -         1RFnYcHK1TM-yt3yLsNecaKCoFO4Yb6a-
mobilenetv2_x1_0 imagenet                       -       256x128 -         1K7_CZE_L_Tf-BRY6_vVm0G-0ZKjVWh3R
mobilenetv2_x1_4 imagenet                       -       256x128 -         10c0ToIGIVI0QZTx284nJe8QfSJl5bIta
mlfn             imagenet                       -       256x128 -         1PP8Eygct5OF4YItYRfA3qypYY9xiqHuV
osnet_x1_0       imagenet                       -       256x128 -         1LaG1EJpHrxdAxKnSCJ_i0u-nbxSAeiFY
osnet_x0_75      imagenet                       -       256x128 -         1uwA9fElHOk3ZogwbeY5GkLI6QPTX70Hq
osnet_x0_5       imagenet                       -       256x128 -         16DGLbZukvVYgINws8u8deSaOqjybZ83i
osnet_x0_25      imagenet                       -       256x128 -         1rb8UN5ZzPKRc_xvtHlyDh-cSz88YX9hs
osnet_ibn_x1_0   imagenet                       -       256x128 -         1sr90V6irlYYDd4_4ISU2iruoRG8J__6l
osnet_ain_x1_0   imagenet                       -       256x128 -         1-CaioD9NaqbHK_kzSMW8VE4_3KcsRjEo
osnet_ain_x0_75  imagenet                       -       256x128 -         1apy0hpsMypqstfencdH-jKIUEFOW4xoM
osnet_ain_x0_5   imagenet                       -       256x128 -         1KusKvEYyKGDTUBVRxRiz55G31wkihB6l
osnet_ain_x0_25  imagenet                       -       256x128 -         1SxQt2AvmEcgWNhaRb2xC4rP6ZwVDP0Wt
resnet50         market1501                     softmax 256x128 euclidean 1dUUZ4rHDWohmsQXCRe2C_HbYkzz94iBV
resnet50         dukemtmcreid                   softmax 256x128 euclidean 17ymnLglnc64NRvGOitY3BqMRS9UWd1wg
resnet50         msmt17                         softmax 256x128 euclidean 1ep7RypVDOthCRIAqDnn4_N-UhkkFHJsj
resnet50_fc512   market1501                     softmax 256x128 euclidean 1kv8l5laX_YCdIGVCetjlNdzKIA3NvsSt
resnet50_fc512   dukemtmcreid                   softmax 256x128 euclidean 13QN8Mp3XH81GK4BPGXobKHKyTGH50Rtx
resnet50_fc512   msmt17                         softmax 256x128 euclidean 1fDJLcz4O5wxNSUvImIIjoaIF9u1Rwaud
mlfn             market1501                     softmax 256x128 euclidean 1wXcvhA_b1kpDfrt9s2Pma-MHxtj9pmvS
mlfn             dukemtmcreid                   softmax 256x128 euclidean 1rExgrTNb0VCIcOnXfMsbwSUW1h2L1Bum
mlfn             msmt17                         softmax 256x128 euclidean 18JzsZlJb3Wm7irCbZbZ07TN4IFKvR6p-
hacnn            market1501                     softmax 160x64  euclidean 1LRKIQduThwGxMDQMiVkTScBwR7WidmYF
hacnn            dukemtmcreid                   softmax 160x64  euclidean 1zNm6tP4ozFUCUQ7Sv1Z98EAJWXJEhtYH
hacnn            msmt17                         softmax 160x64  euclidean 1MsKRtPM5WJ3_Tk2xC0aGOO7pM3VaFDNZ
mobilenetv2_x1_0 market1501                     softmax 256x128 euclidean 18DgHC2ZJkjekVoqBWszD8_Xiikz-fewp
mobilenetv2_x1_0 dukemtmcreid                   softmax 256x128 euclidean 1q1WU2FETRJ3BXcpVtfJUuqq4z3psetds
mobilenetv2_x1_0 msmt17                         softmax 256x128 euclidean 1j50Hv14NOUAg7ZeB3frzfX-WYLi7SrhZ
mobilenetv2_x1_4 market1501                     softmax 256x128 euclidean 1t6JCqphJG-fwwPVkRLmGGyEBhGOf2GO5
mobilenetv2_x1_4 dukemtmcreid                   softmax 256x128 euclidean 12uD5FeVqLg9-AFDju2L7SQxjmPb4zpBN
mobilenetv2_x1_4 msmt17                         softmax 256x128 euclidean 1ZY5P2Zgm-3RbDpbXM0kIBMPvspeNIbXz
osnet_x1_0       market1501                     softmax 256x128 euclidean 1vduhq5DpN2q1g4fYEZfPI17MJeh9qyrA
osnet_x1_0       dukemtmcreid                   softmax 256x128 euclidean 1QZO_4sNf4hdOKKKzKc-TZU9WW1v6zQbq
osnet_x1_0       msmt17                         softmax 256x128 euclidean 112EMUfBPYeYg70w-syK6V6Mx8-Qb9Q1M
osnet_x0_75      market1501                     softmax 256x128 euclidean 1ozRaDSQw_EQ8_93OUmjDbvLXw9TnfPer
osnet_x0_75      dukemtmcreid                   softmax 256x128 euclidean 1IE3KRaTPp4OUa6PGTFL_d5_KQSJbP0Or
osnet_x0_75      msmt17                         softmax 256x128 euclidean 1QEGO6WnJ-BmUzVPd3q9NoaO_GsPNlmWc
osnet_x0_5       market1501                     softmax 256x128 euclidean 1PLB9rgqrUM7blWrg4QlprCuPT7ILYGKT
osnet_x0_5       dukemtmcreid                   softmax 256x128 euclidean 1KoUVqmiST175hnkALg9XuTi1oYpqcyTu
osnet_x0_5       msmt17                         softmax 256x128 euclidean 1UT3AxIaDvS2PdxzZmbkLmjtiqq7AIKCv
osnet_x0_25      market1501                     softmax 256x128 euclidean 1z1UghYvOTtjx7kEoRfmqSMu-z62J6MAj
osnet_x0_25      dukemtmcreid                   softmax 256x128 euclidean 1eumrtiXT4NOspjyEV4j8cHmlOaaCGk5l
osnet_x0_25      msmt17                         softmax 256x128 euclidean 1sSwXSUlj4_tHZequ_iZ8w_Jh0VaRQMqF
osnet_ibn_x1_0   market1501                     softmax 256x128 euclidean 1uWW7_z_IcUmRNPqQOrEBdsvic94fWH37
osnet_ain_x1_0   market1501                     softmax 256x128 cosine    14bNFGm0FhwHEkEpYKqKiDWjLNhXywFAd
osnet_ibn_x1_0   dukemtmcreid                   softmax 256x128 euclidean 1CNxL1IP0BjcE1TSttiVOID1VNipAjiF3
osnet_ain_x1_0   dukemtmcreid                   softmax 256x128 cosine    1hypJvq8G04SOby6jvF337GEkg5K_bmCw
resnet50         msmt17(all)                    softmax 256x128 euclidean 1yiBteqgIZoOeywE8AhGmEQl7FTVwrQmf
osnet_x1_0       msmt17(all)                    softmax 256x128 euclidean 1IosIFlLiulGIjwW3H8uMRmx3MzPwf86x
osnet_x0_75      msmt17(all)                    softmax 256x128 euclidean 1fhjSS_7SUGCioIf2SWXaRGPqIY9j7-uw
osnet_x0_5       msmt17(all)                    softmax 256x128 euclidean 1DHgmb6XV4fwG3n-CnCM0zdL9nMsZ9_RF
osnet_x0_25      msmt17(all)                    softmax 256x128 euclidean 1Kkx2zW89jq_NETu4u42CFZTMVD5Hwm6e
osnet_ibn_x1_0   msmt17(all)                    softmax 256x128 euclidean 1q3Sj2ii34NlfxA4LvmHdWO_75NDRmECJ
osnet_ain_x1_0   msmt17(all)                    softmax 256x128 cosine    1SigwBE6mPdqiJMqhuIY4aqC7--5CsMal
osnet_x1_0       msmt17+dukemtmcreid+cuhk03     softmax 256x128 cosine    1tuYY1vQXReEd8N8_npUkc7npPDDmjNCV
osnet_x1_0       msmt17+market1501+cuhk03       softmax 256x128 cosine    1UxUI4NsE108UCvcy3O1Ufe73nIVPKCiu
osnet_x1_0       msmt17+dukemtmcreid+market1501 softmax 256x128 cosine    1kAA6qHJvbaJtyh1b39ZyEqWROwUgWIhl
osnet_x1_0       dukemtmcreid+market1501+cuhk03 softmax 256x128 cosine    1wAHuYVTzj8suOwqCNcEmu6YdbVnHDvA2
osnet_ibn_x1_0   msmt17+dukemtmcreid+cuhk03     softmax 256x128 cosine    14sH6yZwuNHPTElVoEZ26zozOOZIej5Mf
osnet_ibn_x1_0   msmt17+market1501+cuhk03       softmax 256x128 cosine    1Sk-2SSwKAF8n1Z4p_Lm_pl0E6v2WlIBn
osnet_ibn_x1_0   msmt17+dukemtmcreid+market1501 softmax 256x128 cosine    1actHP7byqWcK4eBE1ojnspSMdo7k2W4G
osnet_ibn_x1_0   dukemtmcreid+market1501+cuhk03 softmax 256x128 cosine    1BGOSdLdZgqHe2qFafatb-5sPY40JlYfp
osnet_ain_x1_0   msmt17+dukemtmcreid+cuhk03     softmax 256x128 cosine    1nIrszJVYSHf3Ej8-j6DTFdWz8EnO42PB
osnet_ain_x1_0   msmt17+market1501+cuhk03       softmax 256x128 cosine    1YjJ1ZprCmaKG6MH2P9nScB9FL_Utf9t1
osnet_ain_x1_0   msmt17+dukemtmcreid+market1501 softmax 256x128 cosine    1IxIg5P0cei3KPOJQ9ZRWDE_Mdrz01ha2
osnet_ain_x1_0   dukemtmcreid+market1501+cuhk03 softmax 256x128 cosine    1KcoUKzLmsUoGHI7B6as_Z2fXL50gzexS
"""

PUBLISHED = tuple(Published(*row.split()) for row in _TABLE.strip().splitlines())
