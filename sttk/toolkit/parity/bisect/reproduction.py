"""The reproduction of a fault: the faulty part of the model, its inputs and expected output."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from sttk.toolkit.artifact.staging import make_work, put_in_place, work_name
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.parity.bisect.partition import Partition

SCRIPT = "reproduce.py"
_TENSORS = "tensors.npz"

_PROGRAM = '''"""{title}

{path} was cut out of {model}; {tensors} holds what goes in and, as "wanted", what
PyTorch computes from it in float64. Exit code 1 if the two differ by more than arithmetic does.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = {inputs!r}
FLOOR = {floor!r}  # SNR in dB that arithmetic alone leaves
CENTRED = {centred!r}  # an instance norm follows: it cancels a constant a channel, and a scale
SCALE = {scale!r}  # the model holds this times the reference's values

{run}

def main():
    folder = Path(__file__).parent
    tensors = np.load(folder / "{tensors}")
    given = {{name: tensors[f"input{{i}}"] for i, name in enumerate(INPUTS)}}
    wanted = tensors["wanted"].astype(np.float64)
    got = run(folder, given).astype(np.float64) / SCALE
    if CENTRED:
        got, wanted = (x - x.mean((2, 3), keepdims=True) for x in (got, wanted))
    error = got - wanted
    noise = np.square(error).sum()
    snr = np.inf if noise == 0 else 10 * np.log10(np.square(wanted).sum() / noise)
    print(f"SNR {{snr:.1f}} dB, floor {{FLOOR:.1f}} dB; largest error {{np.abs(error).max():.6g}} "
          f"of values up to {{np.abs(wanted).max():.6g}}")
    return 0 if snr >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
'''


def write_reproduction(folder: Path, partition: Partition, index: int, *, alone: bool) -> Path:
    """Write the part of a model, its tensors, and ``reproduce.py``, which runs the part on them.

    Args:
        folder: the folder to make; one that was written by an earlier bisection is replaced.
        partition: the model, cut into blocks.
        index: the block's index.
        alone: whether the block shows its error alone; else the part begins at the picture.

    Raises:
        UsageError: ``folder`` exists and holds something else, or cannot be written.
    """
    if folder.exists() and not (folder / SCRIPT).is_file():
        raise UsageError(f"{folder} is there and holds no {SCRIPT}", fix="name another folder")
    part, inputs = partition.part(index, alone=alone)
    block, (_, scale) = partition.blocks[index], partition.tensors[index]
    work = work_name(folder)
    try:
        _make_work(work, folder)
        model = part.save(work)
        arrays: dict[str, Any] = {f"input{i}": inputs[x] for i, x in enumerate(part.inputs)}
        np.savez(work / _TENSORS, wanted=block.expected, **arrays)
        text = _PROGRAM.format(
            title=f"{block.name} ({block.function} in torch) is not what it should be.",
            path=model,
            model=partition.instrumented.name,
            tensors=_TENSORS,
            inputs=part.inputs,
            floor=round(block.floor, 2),
            centred=block.cancelled,
            scale=scale,
            run=partition.instrumented.script,
        )
        (work / SCRIPT).write_text(text, encoding="utf-8")
        work.chmod(0o755)
        put_in_place(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _make_work(work: Path, folder: Path) -> None:
    try:
        make_work(work)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error}") from error
