"""The two ends of a style net, which float16 sums harm most.

A device with float16 kernels rounds the sum of a convolution after each product. In the first steps
that blurs what the instance norms after them amplify, most of all in flat and smooth pictures; in
the last ones it lands in the picture as it is. The trunk between them bears it: norms bring its
values to about 1, and its residual sums keep what one step loses.

Measured on float16 kernels of two CPUs, with parity's own inputs: these ends in float32 make a
Johnson net and a mobile net *faithful* on all of them, where norms in float32 change nothing. A few
full nets still fall short by the sums of their trunk: docs/targets/executorch.md has the figures.
"""

from __future__ import annotations

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.precision.blocks import Block, blocks_of

# A step has a convolution, or a block of several, and the norm behind it: of a Johnson net, all
# that works on pictures larger than its trunk's on both sides.
_STEPS = 2


def ends_of(net: StyleNet) -> tuple[Block, ...]:
    """The first two steps of a net and its last two, in the order in which they run.

    Returns:
        None of them where the net has no step between its ends: then it is all ends, and a plan
        would leave nothing in the lower precision.
    """
    steps = blocks_of(net)
    return (*steps[:_STEPS], *steps[-_STEPS:]) if len(steps) > 2 * _STEPS else ()
