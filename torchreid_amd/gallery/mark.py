"""Whose features a store holds: the model, its interpreter, and how photographs became its input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from torchreid_amd.core.errors import InputError
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.targets.weights import fingerprint


@dataclass(frozen=True)
class Mark:
    """What must be the same for two features to be comparable.

    Attributes:
        model: name of the target.
        target: fingerprint of its weights.
        size: (H, W) of its input in pixels.
        norm_mean: channel means of the normalisation.
        norm_std: channel standard deviations of it.
        head: name of the head.
        interpreter: fingerprint of its weights.
        attributes: the M attributes by name.
    """

    model: str
    target: str
    size: tuple[int, int]
    norm_mean: tuple[float, ...]
    norm_std: tuple[float, ...]
    head: str
    interpreter: str
    attributes: tuple[str, ...]

    @classmethod
    def of(cls, decomposer: Decomposer) -> Mark:
        """The mark of an interpreter and its input."""
        interpreter = decomposer.interpreter
        return cls(
            model=interpreter.target.name,
            target=fingerprint(interpreter.target.model),
            size=decomposer.size,
            norm_mean=tuple(float(v) for v in decomposer.norm_mean),
            norm_std=tuple(float(v) for v in decomposer.norm_std),
            head=interpreter.head_name,
            interpreter=fingerprint(interpreter.head.state_dict()),
            attributes=interpreter.attributes.attributes,
        )

    def to_json(self) -> str:
        """As text, to be kept in a file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Mark:
        """Read :meth:`to_json`.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        given = json.loads(text)
        height, width = given["size"]
        return cls(
            model=str(given["model"]),
            target=str(given["target"]),
            size=(int(height), int(width)),
            norm_mean=tuple(float(v) for v in given["norm_mean"]),
            norm_std=tuple(float(v) for v in given["norm_std"]),
            head=str(given["head"]),
            interpreter=str(given["interpreter"]),
            attributes=tuple(str(a) for a in given["attributes"]),
        )

    def check(self, other: Mark, file: str, whole: bool = False) -> None:
        """That features with this mark can be used by the model with another.

        Args:
            other: of the model that is to use them.
            file: what messages call the features.
            whole: whether components are to be used too, so that the interpreter must be the same.

        Raises:
            InputError: they are of another model, input or interpreter.
        """
        if self.target != other.target:
            names = f"{self.model or 'one'}, not {other.model or 'this one'}"
            if self.model == other.model:
                names = f"{self.model} with other weights" if self.model else "one with other weights"
            raise InputError(
                f"{file} holds features of another model ({names}); extract them again with this one"
            )
        if self.size != other.size:
            stored, asked = ("×".join(map(str, size)) for size in (self.size, other.size))
            raise InputError(
                f"{file} holds features of photographs at {stored}, the model looks at {asked}; extract them "
                "again"
            )
        if (self.norm_mean, self.norm_std) != (other.norm_mean, other.norm_std):
            raise InputError(
                f"{file} holds features of photographs normalised by {self.norm_mean}, {self.norm_std}; "
                f"the model's are by {other.norm_mean}, {other.norm_std}: extract them again"
            )
        if whole and (self.interpreter, self.attributes) != (other.interpreter, other.attributes):
            heads = f" ({self.head}, not {other.head})" if self.head != other.head else ""
            raise InputError(
                f"{file} holds components of another interpreter{heads}; extract them again with this run"
            )
