#!/usr/bin/env python3
"""How fast ``sttk video`` is beside the net alone, and how much a style flickers, on a real clip.

    python scripts/video_report.py CLIP -o artifacts/reports/video.md

The net alone runs on the same frames, in turn with the whole command's work, so that what else the
machine does falls on both. Of the sound it is checked that every packet arrived at its time.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from sttk.toolkit.core.version import VERSION
from sttk.toolkit.host.machine import cpu
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.runtimes.stylize import prepare
from sttk.toolkit.video.convert import Result, VideoSettings, stylize_video
from sttk.toolkit.video.reader import Reader, open_video
from sttk.workflows.choice import FASTEST, Choice
from sttk.workflows.opening import opened

if TYPE_CHECKING:
    from sttk.toolkit.core.contract import Contract
    from sttk.toolkit.runtimes.base import Runner

_STEADY = (0.0, 0.5, 0.8)


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--styles", nargs="+", default=["ink-mobile-m", "scream-mobile-m"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime", default=FASTEST)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="of the clip, its sound included"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = _cut(options.clip, Path(folder) / f"cut{options.clip.suffix}", options.seconds)
        write_atomic(options.output, _report(clip, options).encode())


def _cut(clip: Path, target: Path, seconds: float) -> Path:
    """The beginning of a clip, its packets as they are."""
    with av.open(str(clip)) as source, av.open(str(target), "w") as made:
        streams = [source.streams.best("video"), *source.streams.audio]
        copies = {stream.index: made.add_stream_from_template(stream) for stream in streams}
        for packet in source.demux(streams):
            if packet.dts is not None and float(packet.dts * packet.time_base) < seconds:
                packet.stream = copies[packet.stream.index]
                made.mux(packet)
    return target


def _report(clip: Path, options: argparse.Namespace) -> str:
    with open_video(clip) as reader:
        facts = reader.facts
    size = facts.height, facts.width
    lines = [_head(options, size)]
    with opened(Choice(style=options.styles[0], runtime=options.runtime), size) as (run, contract):
        lines += _speed(clip, run, contract, options.rounds)
    lines += ["", "## Flicker", "", _FLICKER, "", "| style | steady | input | output | FPS |"]
    lines += ["|---|---|---|---|---|"]
    for style in options.styles:
        with opened(Choice(style=style, runtime=options.runtime), size) as (run, contract):
            lines += [_flicker(clip, style, share, run, contract) for share in _STEADY]
    return "\n".join(lines) + "\n"


_FLICKER = """\
Change between a frame and the one before it, moved along by optical flow, where the flow there and
back agrees: mean of all channels, in grey levels of 0..255. Steady is the share of the frame
before."""


def _head(options: Any, size: tuple[int, int]) -> str:
    machine = f"{cpu().name}, {platform.system()}; sttk {VERSION}, PyAV {av.VERSION}"
    command = f"python scripts/video_report.py {options.clip.name} -o artifacts/reports/video.md"
    return f"""# Video

The first {options.seconds:g} seconds of `{options.clip.name}`, {size[1]}x{size[0]}. {machine}.
Made by

    {command}

## Speed
"""


def _speed(clip: Path, runner: Runner, contract: Contract, rounds: int) -> list[str]:
    """The whole work and the net alone, in turn."""
    whole, alone, sound = [], [], ""
    for _ in range(rounds):
        result, sound = _converted(clip, runner, contract, VideoSettings())
        whole.append(result.fps)
        alone.append(_alone(clip, runner, contract))
    ratios = [one / other for one, other in zip(whole, alone, strict=True)]
    rows = [
        f"| {n + 1} | {all_in:.2f} | {net:.2f} | {all_in / net:.0%} |"
        for n, (all_in, net) in enumerate(zip(whole, alone, strict=True))
    ]
    return [
        f"Runtime {runner.name}, {result.frames} frames, {rounds} rounds in turn.",
        "",
        "| round | sttk video, FPS | the net alone, FPS | ratio |",
        "|---|---|---|---|",
        *rows,
        "",
        f"**Median ratio {statistics.median(ratios):.0%}.** {sound}",
    ]


def _alone(clip: Path, runner: Runner, contract: Contract) -> float:
    """Frames a second of nothing but the net, on frames that are ready in memory."""
    with open_video(clip) as reader:
        frames = [frame.rgb for frame in reader.frames()]
    batches = [prepare(rgb, runner, contract) for rgb in frames[:8]]
    runner.run(batches[0])
    started = time.perf_counter()
    for index in range(len(frames)):
        runner.run(batches[index % len(batches)])
    return len(frames) / (time.perf_counter() - started)


def _converted(
    clip: Path, runner: Runner, contract: Contract, settings: VideoSettings
) -> tuple[Result, str]:
    with tempfile.TemporaryDirectory() as folder, open_video(clip) as reader:
        target = Path(folder) / "out.mp4"
        result = stylize_video(reader, target, runner, contract, settings)
        if result.stopped:
            raise KeyboardInterrupt  # a part of the clip is no figure
        return result, _sound(clip, target, reader)


def _sound(clip: Path, target: Path, reader: Reader) -> str:
    """Whether the packets of sound are the input's, at the same times."""
    if not reader.sound:
        return "The clip has no sound."
    one, other = _packets(clip), _packets(target)
    kept = "all" if one == other else "NOT all"
    return f"Sound: {len(other)} packets, {kept} those of the clip, at its times."


def _packets(path: Path) -> list[tuple[int, float]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [
            (packet.size, round(float(packet.pts * packet.time_base), 3))
            for packet in container.demux(stream)
            if packet.pts is not None and packet.time_base is not None
        ]


def _flicker(clip: Path, style: str, share: float, runner: Runner, contract: Contract) -> str:
    result, _ = _converted(clip, runner, contract, VideoSettings(steady=share, measure=True))
    given, made = result.flicker
    return f"| {style} | {share:g} | {given:.2f} | {made:.2f} | {result.fps:.2f} |"


if __name__ == "__main__":
    main()
