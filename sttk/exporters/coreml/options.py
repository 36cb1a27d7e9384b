"""The options of the exporter of Core ML packages."""

from __future__ import annotations

from dataclasses import dataclass

import click

from sttk.exporters.options import Options, option

SYSTEMS = ("iOS15", "iOS16", "iOS17", "iOS18")
SCHEME_NAMES = ("int8", "palette8", "palette6", "palette4", "int4")


@dataclass(frozen=True)
class CoreMLOptions(Options):
    """The options of a Core ML package.

    Attributes:
        compress: the compression of the weights, such as ``palette8``, or None.
        deployment_target: the oldest system that the package supports, such as ``iOS16``.
        tensor_io: whether input and output are arrays rather than images.
    """

    compress: str | None = option(
        None, "compress the weights.", tag=str, type=click.Choice(SCHEME_NAMES)
    )
    deployment_target: str = option(
        "iOS16", "oldest system.", tag=str, type=click.Choice(SYSTEMS), show_default=True
    )
    tensor_io: bool = option(
        False, "arrays in and out, not images.", tag=lambda _: "tensors", is_flag=True
    )
