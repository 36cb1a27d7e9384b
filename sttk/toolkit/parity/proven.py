"""What a parity run has proven, and in which arithmetic it has proven nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sttk.toolkit import devices, targets
from sttk.toolkit.devices import DEFAULT as HOST
from sttk.toolkit.devices.base import Device
from sttk.toolkit.parity.outcome import Judged, Outcome

_COMMAND = "sttk parity --device"


def proven(outcomes: Sequence[Outcome]) -> str:
    """Return one line on the arithmetic that models ran in, and on that of other devices.

    An example is ``proven: float32 on x86-64; not run: float16 on ARM64 (sttk parity --device
    arm64)``. It is "" where no model was judged.
    """
    judged = [each for each in outcomes if isinstance(each, Judged)]
    if not judged:
        return ""
    held = _unique(
        each.report.evidence.brief for each in judged if each.passed and each.report.evidence
    )
    open_ = [f"{what} ({_COMMAND} {name})" for name, what in _open(judged)]
    parts = [f"proven: {', '.join(held) or 'nothing'}"]
    return "; ".join([*parts, *([f"not run: {', '.join(open_)}"] if open_ else [])])


def _open(judged: Sequence[Judged]) -> Iterator[tuple[str, str]]:
    """Yield each device on which a model could run and did not, with what it would prove."""
    ran = {(each.model, each.device) for each in judged}
    models = {
        each.model: (each.target, each.report.precision)
        for each in judged
        if each.target in targets.NAMES
    }
    for device in devices.every():
        missing = [
            made
            for model, made in models.items()
            if device.name != HOST
            and (model, device.name) not in ran
            and device.judges(targets.target(made[0]), made[1])
        ]
        if missing:
            yield device.name, ", ".join(_unique(_described(device, *made) for made in missing))


def _described(device: Device, target: str, precision: str) -> str:
    features = device.features()
    if not features:  # a GPU's, which only its driver knows
        return device.machine
    computed = device.arithmetic(targets.target(target), precision, features, None)
    return f"{computed} on {device.machine}"


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
