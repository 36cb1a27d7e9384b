"""What a net or model takes and gives, where that is not RGB in 0..255.

A :class:`Convention` is two affine maps and two orders of channels. At each end, with ``x`` in
0..255 and in the order of the model's channels,

    value = (x - mean) / std,    x = value * std + mean,

so 0..1 is a mean of 0 and a std of 255, and -1..1 is 127.5 for both.

Sources of the named ones: ImageNet's mean and std are those of torchvision.models, of values in
0..1; Caffe's are the BGR means of VGG (Simonyan and Zisserman 2014, as released for Caffe).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Triple = tuple[float, float, float]

RANGES: dict[str, tuple[float, float]] = {
    "0..255": (0.0, 255.0),
    "0..1": (0.0, 1.0),
    "-1..1": (-1.0, 1.0),
}
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # B, G, R
_ZEROS, _ONES = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class End:
    """The values at one end of a model.

    Attributes:
        text: what they are called, such as ``0..1`` or ``imagenet``.
        mean, std: ``value = (x - mean) / std``, x in 0..255, by channel in the model's order.
        bgr: whether the channels are in BGR order; None where the name says nothing of it.
    """

    text: str
    mean: Triple
    std: Triple
    bgr: bool | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the values are RGB in 0..255."""
        return not self.bgr and self.mean == _ZEROS and self.std == _ONES

    @property
    def order(self) -> str:
        """The order of the channels, ``RGB`` or ``BGR``."""
        return "BGR" if self.bgr else "RGB"

    def __str__(self) -> str:
        return self.text


def of_range(text: str, mean: Triple = _ZEROS, std: Triple = _ONES) -> End:
    """Return the values of a range of :data:`RANGES`, less a mean and divided by a std.

    Args:
        text: the range.
        mean: the mean of each channel, as in torchvision's ``Normalize``: of values of that range.
        std: the divisor of each channel, after the mean is subtracted.
    """
    low, high = RANGES[text]
    unit = 255.0 / (high - low)  # x = (value * std + mean - low) * unit
    moved = tuple((m - low) * unit for m in mean)
    scaled = tuple(s * unit for s in std)
    said = "" if (mean, std) == (_ZEROS, _ONES) else f", mean={_csv(mean)}, std={_csv(std)}"
    return End(f"{text}{said}", (moved[0], moved[1], moved[2]), (scaled[0], scaled[1], scaled[2]))


def _csv(values: Triple) -> str:
    return ",".join(f"{value:g}" for value in values)


NAMED: dict[str, End] = {
    **{text: of_range(text) for text in RANGES},
    "imagenet": replace(of_range("0..1", _IMAGENET_MEAN, _IMAGENET_STD), text="imagenet"),
    "caffe": End("caffe", _CAFFE_MEAN, _ONES, bgr=True),
}
BYTES = NAMED["0..255"]


@dataclass(frozen=True)
class Convention:
    """What a model takes and gives; RGB in 0..255 by default."""

    input: End = BYTES
    output: End = BYTES

    @property
    def is_plain(self) -> bool:
        """Whether the model takes and gives RGB in 0..255."""
        return self.input.is_plain and self.output.is_plain

    def __str__(self) -> str:
        ends = (f"{end} {end.order}" for end in (self.input, self.output))
        return "input {}, output {}".format(*ends)


PLAIN = Convention()


@dataclass(frozen=True)
class Guess:
    """Something that was assumed of somebody else's file, which does not say it.

    Attributes:
        what: the subject, such as ``input``.
        value: what was assumed, such as ``0..255``.
        why: how it was found, such as ``measured on a photograph``.
        choices: what the user can say instead, such as ``input=0..255 or 0..1``.
    """

    what: str
    value: str
    why: str
    choices: str

    def __str__(self) -> str:
        return f"{self.what} {self.value}: guessed ({self.why})"
