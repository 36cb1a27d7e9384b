"""A cache of references, since several artifacts of one checkpoint share them."""

from __future__ import annotations

import json
from collections.abc import Hashable

from sttk.toolkit.artifact.manifest import Manifest
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.opened.artifact import quantized, with_half_weights
from sttk.toolkit.parity.reference import References


class ReferenceCache:
    """The references of one run, made when they are first needed."""

    def __init__(self) -> None:
        self._references: dict[Hashable, References] = {}

    def float_net(self, net: StyleNet) -> References:
        """Return the outputs of ``net``."""
        key = _identity(net)
        if key not in self._references:
            self._references[key] = References(net)
        return self._references[key]

    def half_weights(self, net: StyleNet, plan: Plan) -> References:
        """Return the outputs of ``net`` with the weights that a float16 model of ``plan`` saves."""
        key = (*_identity(net), plan)
        if key not in self._references:
            self._references[key] = References(with_half_weights(net, plan))
        return self._references[key]

    def quantized(self, plain: References, manifest: Manifest) -> References:
        """Return the outputs of ``plain``'s net with the quantisers of an artifact.

        Artifacts of several targets can share them.

        Raises:
            ArtifactError: the manifest's quantisers are not this net's.
        """
        recipe = (manifest.rewrites, manifest.target.precision, manifest.quantization)
        key = (*_identity(plain.net), json.dumps(recipe, sort_keys=True))
        if key not in self._references:
            self._references[key] = References(quantized(plain.net, manifest), plain)
        return self._references[key]


def _identity(net: StyleNet) -> tuple[str, str]:
    """Return a net's identity; the digest is not enough, as a file can hold several styles."""
    return net.origin.source, net.origin.sha256
