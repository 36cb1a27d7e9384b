"""LiteRT's GPU accelerator, which reaches the GPU through Vulkan: a real one, else SwiftShader.

Mesa's llvmpipe (22.3) is refused by the accelerator.
"""

from __future__ import annotations

from sttk.toolkit.devices import drivers
from sttk.toolkit.devices.base import Need
from sttk.toolkit.devices.gpu import VulkanGpu


class LiteRtGpu(VulkanGpu):
    """See :class:`Device`."""

    def driver(self) -> drivers.Driver | None:
        """See :class:`VulkanGpu`."""
        return drivers.driver((drivers.swiftshader(),))

    def wanted(self) -> Need:
        """See :class:`VulkanGpu`."""
        return Need("Vulkan driver that LiteRT takes", "apt-get install chromium", root=True)


DEVICE = LiteRtGpu(
    "litert-gpu", "LiteRT's GPU accelerator; in software (SwiftShader) without a GPU"
)
