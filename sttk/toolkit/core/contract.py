"""The contract of a style net: what a caller must know before feeding it a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from sttk.toolkit.core.shapes import Size

Precision = Literal["fp32", "fp16", "int8", "fp8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# Arithmetic that a runtime may choose to compute in, whatever the precision of the saved model.
ARITHMETIC = ("f32", "bf16", "f16")
_LARGEST = 1024


@dataclass(frozen=True)
class Contract:
    """A net's input and output, and its sizes.

    Every style net takes and returns (B, 3, H, W) float32, RGB, values 0..255. Nets that
    were trained on other ranges or channel orders are adapted when they are loaded.

    Attributes:
        size_multiple: height and width come back unchanged if they are multiples of this;
            otherwise they come back as the next multiple (:meth:`output_size`).
        smallest_side: smallest height or width that the net can take (reflection padding
            needs more pixels than it adds).
        input_range: lowest and highest value of the input.
        output_range: lowest and highest value of the output; the net clamps to it.
        channels: order of the three channels.
    """

    size_multiple: int = 4
    smallest_side: int = 5
    input_range: tuple[float, float] = (0.0, 255.0)
    output_range: tuple[float, float] = (0.0, 255.0)
    channels: str = "RGB"

    def __post_init__(self) -> None:
        """Raise ValueError for impossible values: contracts come from files."""
        for name in ("size_multiple", "smallest_side"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= _LARGEST:
                raise ValueError(f"{name} is {value!r}, not a whole number from 1 to {_LARGEST}")
        for name in ("input_range", "output_range"):
            if tuple(getattr(self, name)) != (0.0, 255.0):
                raise ValueError(f"{name} is {getattr(self, name)!r}, not 0 to 255")
        if self.channels != "RGB":
            raise ValueError(f"channels are {self.channels!r}, not RGB")

    def output_size(self, height: int, width: int) -> Size:
        """Return the output's size for an input of ``height`` x ``width`` pixels."""
        multiple = self.size_multiple
        return -(-height // multiple) * multiple, -(-width // multiple) * multiple

    def size_for(self, height: int, width: int) -> Size:
        """Return the smallest size that holds such a picture and that the net preserves."""
        least = self.smallest_side
        return self.output_size(max(height, least), max(width, least))

    def to_dict(self) -> dict[str, Any]:
        """Return the contract as plain JSON values."""
        fields = asdict(self)
        fields["input_range"] = list(self.input_range)
        fields["output_range"] = list(self.output_range)
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Contract:
        """Invert :meth:`to_dict`.

        Raises:
            TypeError, KeyError: there are unknown or missing fields.
            ValueError: a value is not possible.
        """
        ranges = {key: tuple(fields[key]) for key in ("input_range", "output_range")}
        return cls(**{**fields, **ranges})
