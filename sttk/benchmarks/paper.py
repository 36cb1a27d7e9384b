"""The published timings, to be shown next to measurements but never mixed with them.

Johnson et al. 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", table 1:
seconds for one picture on a GeForce GTX Titan X, and the speed-up of the net. The
article's 20 FPS at 512x512 is its 0.05 s. The figures are as they are commonly quoted; the paper
itself was not at hand to check them against.
"""

from __future__ import annotations

from dataclasses import dataclass

from sttk.toolkit.core.shapes import Size

SOURCE = "Johnson et al. 2016, table 1, GTX Titan X: quoted, not measured here"


@dataclass(frozen=True)
class Published:
    """A row of the table.

    Attributes:
        net: the seconds of the net.
        gatys: the seconds of the optimisation, by the number of iterations.
        times: the speed-up of the net, by the number of iterations.
    """

    net: float
    gatys: dict[int, float]
    times: dict[int, int]


TABLE: dict[Size, Published] = {
    (256, 256): Published(
        0.015, {100: 3.17, 300: 9.52, 500: 15.86}, {100: 212, 300: 636, 500: 1060}
    ),
    (512, 512): Published(
        0.05, {100: 10.97, 300: 32.91, 500: 54.85}, {100: 205, 300: 615, 500: 1026}
    ),
    (1024, 1024): Published(
        0.21, {100: 42.89, 300: 128.66, 500: 214.44}, {100: 208, 300: 625, 500: 1042}
    ),
}
