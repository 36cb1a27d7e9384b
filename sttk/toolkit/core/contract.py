"""The contract of a style net: what a caller must know before feeding it a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from sttk.toolkit.core.shapes import Size

Precision = Literal["fp32", "fp16", "int8", "fp8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# In which a runtime computes, where it has a choice, whatever the precision of what is saved.
ARITHMETIC = ("f32", "bf16", "f16")
_LARGEST = 1024


@dataclass(frozen=True)
class Contract:
    """What goes in, what comes out, and at which sizes.

    Every style net takes and gives (B, 3, H, W) float32, RGB, values 0..255. Nets that
    were trained on other ranges or channel orders are brought to this when loaded.

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
        """Contracts come from files: raise ValueError on what cannot be one."""
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
        """Size of the output for an input of ``height`` x ``width`` pixels."""
        multiple = self.size_multiple
        return -(-height // multiple) * multiple, -(-width // multiple) * multiple

    def size_for(self, height: int, width: int) -> Size:
        """The smallest size that such a picture fits into and that comes back unchanged."""
        least = self.smallest_side
        return self.output_size(max(height, least), max(width, least))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        fields = asdict(self)
        fields["input_range"] = list(self.input_range)
        fields["output_range"] = list(self.output_range)
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Contract:
        """The inverse of :meth:`to_dict`. Raises TypeError or KeyError on foreign fields."""
        ranges = {key: tuple(fields[key]) for key in ("input_range", "output_range")}
        return cls(**{**fields, **ranges})
