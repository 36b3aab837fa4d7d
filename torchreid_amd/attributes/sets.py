"""The attribute sets of Market-1501 and DukeMTMC-reID, in the order AMD uses.

Annotations: Lin et al., *Improving Person Re-identification by Attribute and Identity
Learning*, Pattern Recognition 2019. Order: Chen et al., ICCV 2021 (``age`` is left out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, REST, UPPER
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.language import english
from torchreid_amd.core.registry import attribute_sets, register_attributes

_UPPER = "upper-body colour"
_LOWER = "lower-body colour"
#: gender shows in the build of the whole person
_PARTS = {"backpack": CARRIED, "bag": CARRIED, "handbag": CARRIED, "hat": HEAD, "hair": HEAD, "gender": REST}
_PARTS |= {"up": UPPER, "top": UPPER, "down": LOWER, "clothes": LOWER, "boots": LOWER, "shoes": LOWER}


def _schema(name: str, order: str) -> AttributeSchema:
    attributes = tuple(order.split())
    upper = tuple(a for a in attributes if a.startswith("up") and a != "up")
    lower = tuple(a for a in attributes if a.startswith("down") and a != "down")
    words = {a: (english(f"attributes.{a}.yes"), english(f"attributes.{a}.no")) for a in attributes}
    parts = {a: UPPER for a in upper} | {a: LOWER for a in lower}
    parts |= {a: p for a, p in _PARTS.items() if a in attributes}
    return AttributeSchema(name, attributes, {_UPPER: upper, _LOWER: lower}, words, parts)


@register_attributes
def market1501() -> AttributeSchema:
    """26 attributes of Market-1501. Yes means short for ``up`` and ``down``, pants for ``clothes``."""
    return _schema(
        "market1501",
        "backpack bag clothes down downblack downblue downbrown downgray downgreen downpink "
        "downpurple downwhite downyellow gender hair handbag hat up upblack upblue upgray upgreen "
        "uppurple upred upwhite upyellow",
    )


@register_attributes
def dukemtmcreid() -> AttributeSchema:
    """23 attributes of DukeMTMC-reID. Yes means long for ``top``, light for ``shoes``."""
    return _schema(
        "dukemtmcreid",
        "backpack bag boots downblack downblue downbrown downgray downgreen downred downwhite "
        "gender handbag hat shoes top upblack upblue upbrown upgray upgreen uppurple upred upwhite",
    )


@register_attributes
def market1501_dukemtmcreid() -> AttributeSchema:
    """The 18 attributes that both data sets have, for work across them."""
    duke = dukemtmcreid().attributes
    market = market1501()
    return market.select([a for a in market.attributes if a in duke], "market1501_dukemtmcreid")


def schema_named(attributes: str | AttributeSchema | Sequence[str]) -> AttributeSchema:
    """The schema that somebody means.

    Args:
        attributes: a registered set; a schema, which it is itself; or names, which make a schema called
            ``'own'`` without groups and words.

    Raises:
        InputError: an unknown set, no names, a name that stands twice, or something else.
    """
    if isinstance(attributes, AttributeSchema):
        return attributes
    if isinstance(attributes, str):
        schema: AttributeSchema = attribute_sets[attributes]()
        return schema
    if isinstance(attributes, Sequence) and all(isinstance(name, str) for name in attributes):
        return AttributeSchema("own", tuple(attributes))
    raise InputError(
        f"attributes are {attributes!r}; give the name of a registered set ({', '.join(attribute_sets)}), "
        "an AttributeSchema, or a list of names"
    )


def with_known_parts(schema: AttributeSchema) -> AttributeSchema:
    """A schema of a registered name, written before schemas knew parts, with the parts of that name."""
    if schema.parts or schema.name not in attribute_sets:
        return schema
    known = attribute_sets[schema.name]()
    parts = {a: p for a, p in known.parts.items() if a in schema.attributes}
    return replace(schema, parts=parts)
