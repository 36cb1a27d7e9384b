"""The first and last blocks of a style net, where float16 accumulation does most harm.

A device with float16 kernels rounds a convolution's sum after each product. In the first blocks the
instance norms that follow amplify this error, most of all in flat and smooth pictures. In the last
blocks the error goes straight into the picture. The trunk between them tolerates it: norms bring
its values to about 1, and residual connections preserve what one block loses.

Measured with float16 kernels on two CPUs and with parity's own inputs: running the first and last
blocks in float32 makes a Johnson net and a mobile net *faithful* on all inputs, while running the
norms in float32 changes nothing. A few full nets still fall short because of the sums in their
trunk: docs/targets/executorch.md has the figures.
"""

from __future__ import annotations

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.precision.blocks import Block, blocks_of

# Blocks at each end. In a Johnson net, these are all the blocks that work on larger pictures than
# its trunk.
_BLOCKS = 2


def boundary_blocks(net: StyleNet) -> tuple[Block, ...]:
    """Return the first two blocks of a net and its last two, in the order in which they run.

    Returns:
        The blocks, or none if the net has no block between them, since a plan would then leave
        nothing in the lower precision.
    """
    blocks = blocks_of(net)
    return (*blocks[:_BLOCKS], *blocks[-_BLOCKS:]) if len(blocks) > 2 * _BLOCKS else ()
