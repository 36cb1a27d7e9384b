"""The rewrites that make a net faster where it is to run, and how to apply them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.rewrites import phase_upsample, sliced_pads, transposed_upsample, wide_head


@dataclass(frozen=True)
class Rule:
    """One rewrite.

    Attributes:
        apply: the same function in another form, and how many places were rewritten.
        precisions: of the model, in which it was measured and proven.
    """

    apply: Callable[[StyleNet], tuple[StyleNet, int]]
    precisions: tuple[Precision, ...]


_ALL: tuple[Precision, ...] = ("fp32", "fp16", "int8")
# In float16 a sum of weights is not the sum of rounded weights: there phases would be another net
# than the one with its weights in float16, which is what the saved weights are held to. ExecuTorch,
# for which transposed upsampling is, cannot compute them in float32; it is held to the float net.
# In int8 sums are, too; but there the rewritten net is what is quantised, and so the reference.
RULES = {
    phase_upsample.NAME: Rule(phase_upsample.phase_upsample, ("fp32", "int8")),
    wide_head.NAME: Rule(wide_head.wide_head, ("fp32", "int8")),
    transposed_upsample.NAME: Rule(transposed_upsample.transposed_upsample, _ALL),
    sliced_pads.NAME: Rule(sliced_pads.sliced_pads, _ALL),
}


# Cached, by the net's identity: several targets and sizes ask for the same.
@lru_cache(maxsize=4)
def rewritten(
    net: StyleNet, names: tuple[str, ...], precision: str
) -> tuple[StyleNet, tuple[str, ...]]:
    """The net with the rules of these names that are for this precision.

    Returns:
        ``net`` itself where none finds anything to do, and the names of those that did.

    Raises:
        ExportError: a rule would make another function of this net.
    """
    done = []
    for name in names:
        if name in RULES and precision in RULES[name].precisions:
            net, count = RULES[name].apply(net)
            done += [name] if count else []
    return net, tuple(done)
