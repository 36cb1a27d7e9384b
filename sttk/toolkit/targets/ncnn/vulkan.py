"""The GPUs that ncnn finds through Vulkan, and their float16 features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.streams import quiet_stderr

if TYPE_CHECKING:
    import ncnn
else:
    ncnn = Lazy("ncnn", "ncnn")

# ncnn's numbers for the types of devices; the last is a driver that computes on the CPU.
_KINDS = ("discrete", "integrated", "virtual", "software")
# A graph of an input alone: loading it makes ncnn turn off what the device does not support.
_EMPTY = "7767517\n1 1\nInput in0 0 1 in0\n"


@dataclass(frozen=True)
class Gpu:
    """The GPU that ncnn uses by default.

    Attributes:
        name: the device's name, which with software drivers includes their version.
        driver: the driver's version, as the driver encodes it.
        vulkan: the version of Vulkan, such as ``1.3.230``.
        kind: ``discrete``, ``integrated``, ``virtual`` or ``software``.
        fp16_storage: whether tensors are stored in float16 under ncnn's defaults.
        fp16_arithmetic: whether shaders compute in float16 under ncnn's defaults.
    """

    name: str
    driver: int
    vulkan: str
    kind: str
    fp16_storage: bool
    fp16_arithmetic: bool

    @property
    def features(self) -> tuple[str, ...]:
        """The float16 features, by the names that targets give them."""
        features = {
            "Vulkan fp16": self.fp16_arithmetic,
            "Vulkan fp16 storage": self.fp16_storage,
        }
        return tuple(name for name, there in features.items() if there)

    def __str__(self) -> str:
        kept = "float16" if self.fp16_storage else "float32"
        computed = "float16" if self.fp16_arithmetic else "float32"
        return f"{self.name} ({self.kind}, Vulkan {self.vulkan}): {kept} tensors, {computed} sums"


def default_gpu() -> Gpu:
    """Return the GPU that ncnn uses by default.

    Raises:
        MissingExtraError: ncnn is not installed.
        NotRunError: there is no Vulkan device, or ncnn was built without Vulkan.
    """
    with quiet_stderr():  # ncnn lists every device
        count = ncnn.get_gpu_count() if hasattr(ncnn, "get_gpu_count") else 0
        if not count:
            raise NotRunError("not run: no Vulkan device", fix="install a Vulkan driver")
        info = ncnn.get_gpu_info(ncnn.get_default_gpu_index())
        net = ncnn.Net()
        net.opt.use_vulkan_compute = True
        net.load_param_mem(_EMPTY)
    options, version = net.opt, info.api_version()
    return Gpu(
        name=info.device_name(),
        driver=info.driver_version(),
        vulkan=f"{version >> 22}.{version >> 12 & 0x3FF}.{version & 0xFFF}",
        kind=_KINDS[info.type()],
        fp16_storage=bool(options.use_fp16_storage or options.use_fp16_packed),
        fp16_arithmetic=bool(options.use_fp16_arithmetic),
    )
