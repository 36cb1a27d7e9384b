"""A GPU through Vulkan: a real one, else Mesa's llvmpipe, else Chromium's SwiftShader.

llvmpipe comes first as it has float16 arithmetic as phones' GPUs have; SwiftShader stores float16,
but computes in float32.
"""

from __future__ import annotations

from sttk.toolkit.devices import drivers
from sttk.toolkit.devices.base import Need
from sttk.toolkit.devices.gpu import VulkanGpu
from sttk.toolkit.targets.base import Target


class Vulkan(VulkanGpu):
    """See :class:`Device`."""

    def judges(self, target: Target, precision: str) -> bool:
        """See :class:`Device`: our other models say that they run on the CPU (exporters/ncnn)."""
        return self.runs(target) and precision in target.half_precisions

    def driver(self) -> drivers.Driver | None:
        """See :class:`VulkanGpu`."""
        return drivers.driver((drivers.llvmpipe(), drivers.swiftshader()))

    def wanted(self) -> Need:
        """See :class:`VulkanGpu`."""
        return Need("Vulkan driver", "apt-get install mesa-vulkan-drivers", root=True)


DEVICE = Vulkan("vulkan", "a GPU by Vulkan; in software (Mesa, SwiftShader) where there is none")
