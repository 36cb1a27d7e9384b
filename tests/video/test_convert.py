from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import RunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.signals import StopRequest
from sttk.toolkit.io import prefetch
from sttk.toolkit.runtimes.base import Closing
from sttk.toolkit.runtimes.stylize import Look
from sttk.toolkit.video import sound
from sttk.toolkit.video.convert import VideoSettings, stylize_video
from sttk.toolkit.video.reader import Frame, Reader, open_video
from sttk.toolkit.video.writer import Writer
from tests.video.clips import RATE, later, picture, turn, write

CONTRACT = Contract()


class Invert(Closing):
    """A net that every frame can be told by."""

    name = "invert"
    takes = Shapes.any()
    notes = ()

    def __init__(self, then=lambda: None):
        self.then, self.runs = then, 0

    def run(self, batch):
        self.runs += 1
        self.then()
        return 255 - batch


def convert(source, target, runner=None, settings=None):
    with open_video(source) as reader:
        return stylize_video(
            reader, target, runner or Invert(), CONTRACT, settings or VideoSettings(crf=4)
        )


def decoded(path):
    with open_video(path) as reader:
        return reader.facts, list(reader.frames())


def tone_of(path):
    """The track's codec, its length in seconds, and its loudest frequency."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        parts = [
            part.to_ndarray()[0]
            for frame in container.decode(stream)
            for part in resampler.resample(frame)
        ]
        sound = np.concatenate(parts)
        loudest = np.abs(np.fft.rfft(sound[:RATE])).argmax() * RATE / min(len(sound), RATE)
        return stream.codec_context.name, len(sound) / RATE, loudest


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_every_frame_and_the_sound_arrive(clip, tmp_path, suffix):
    target = tmp_path / f"out{suffix}"
    result = convert(clip, target)
    assert (result.frames, result.stopped, result.broken) == (12, 0, 0)
    facts, frames = decoded(target)
    assert (facts.height, facts.width, facts.rate) == (48, 64, 12)
    # Matroska has no times below zero: what AAC begins with shifts sound and picture alike.
    assert 0 <= frames[0].time < 0.03
    for index, frame in enumerate(frames):
        assert float(frame.time - frames[0].time) == pytest.approx(index / 12, abs=2e-3)
    for index, frame in enumerate(frames):
        assert np.abs(frame.rgb.astype(int) - (255 - picture(index))).mean() < 12, index
    codec, seconds, loudest = tone_of(target)
    assert codec == ("opus" if suffix == ".webm" else "aac")
    assert seconds == pytest.approx(1, abs=0.1)
    assert loudest == pytest.approx(440, abs=3)
    assert sorted(tmp_path.iterdir()) == [target]


def test_colours_are_tagged_and_right(clip, tmp_path):
    convert(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range, frame.color_trc) == (1, 1, 1)
    _, frames = decoded(tmp_path / "out.mp4")
    assert np.abs(frames[0].rgb[40, 8].astype(int) - (255 - picture(0)[40, 8])).max() <= 4


def test_turned_odd_and_uneven(tmp_path):
    """A phone's clip: 90 degrees turned, of varying rate; sides that 4:2:0 has not grow by one."""
    stamps = [0, 40, 90, 240, 250]
    source = turn(write(tmp_path / "in.mp4", 5, height=36, width=50, times=stamps.__getitem__), 1)
    convert(source, tmp_path / "out.mp4")
    facts, frames = decoded(tmp_path / "out.mp4")
    assert (facts.height, facts.width, facts.turns) == (50, 36, 0)
    assert [round(frame.time * 1000) for frame in frames] == stamps
    odd = write(tmp_path / "odd.mkv", 2, height=35, width=51, codec="ffv1", pix_fmt="yuv444p")
    convert(odd, tmp_path / "even.mp4")
    facts, frames = decoded(tmp_path / "even.mp4")
    assert frames[0].rgb.shape == (36, 52, 3)
    assert np.abs(frames[0].rgb[:35, :51].astype(int) - (255 - picture(0, 35, 51))).mean() < 12


def packets_of(path):
    """Of all streams, with their times."""
    with av.open(str(path)) as container:
        return [
            (packet.stream.index, packet.pts, packet.dts, bytes(packet))
            for packet in container.demux()
            if packet.dts is not None
        ]


@pytest.mark.parametrize("sound", ["aac", "mp2"], ids=["copied", "encoded"])
def test_a_clip_that_starts_after_an_hour_starts_at_once(tmp_path, sound):
    """As the same clip that starts at 0, to the packet: sound stays in step with the picture."""
    clip = write(tmp_path / "in.mkv", sound=sound)
    for name, seconds in ("zero", 0), ("hour", 3600):
        source = later(clip, tmp_path / f"{name}.ts", Fraction(seconds))
        convert(source, tmp_path / f"{name}.mp4")
    assert packets_of(tmp_path / "hour.mp4") == packets_of(tmp_path / "zero.mp4")
    assert decoded(tmp_path / "hour.mp4")[1][-1].time < 1


def test_what_sound_begins_with_stays_below_zero(clip, tmp_path):
    """An encoder's first packet, which players skip, is no start of the clip."""
    convert(clip, tmp_path / "out.mp4")
    sound = [packet for packet in packets_of(clip) if packet[0] == 1]
    assert sound[0][1] < 0
    assert [packet for packet in packets_of(tmp_path / "out.mp4") if packet[0] == 1] == sound


def test_pixels_that_are_not_square_stay_so(tmp_path):
    source = tmp_path / "wide.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(picture(0), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    convert(source, tmp_path / "out.mp4")
    assert decoded(tmp_path / "out.mp4")[0].aspect == Fraction(4, 3)


def test_sound_that_the_container_does_not_take_is_encoded_anew(tmp_path):
    source = write(tmp_path / "in.mkv", sound="pcm_s16le")
    convert(source, tmp_path / "out.mp4")
    codec, seconds, loudest = tone_of(tmp_path / "out.mp4")
    assert codec == "aac"
    assert seconds == pytest.approx(1, abs=0.1)
    assert loudest == pytest.approx(440, abs=3)


def sound_of(path):
    """The track's codec and its packets' bytes."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [bytes(packet) for packet in container.demux(stream) if packet.dts is not None]
        return stream.codec_context.codec.canonical_name, packets


@pytest.mark.parametrize("name", ["in.mkv", "in.avi"])
def test_mp3_is_copied(tmp_path, name):
    """Its decoder is called mp3float."""
    codec = "mpeg4" if name == "in.avi" else "libx264"
    source = write(tmp_path / name, sound="libmp3lame", codec=codec)
    convert(source, tmp_path / "out.mp4")
    assert sound_of(tmp_path / "out.mp4") == sound_of(source)
    assert sound_of(source)[0] == "mp3"


def test_sound_counted_in_frames_of_it_is_encoded_anew(tmp_path, monkeypatch):
    """AVI's tick is a frame of sound, 3/125 of a second here."""
    monkeypatch.setitem(sound._PLAYED, "mp4", frozenset({"aac"}))
    source = write(tmp_path / "in.avi", sound="libmp3lame", codec="mpeg4")
    with av.open(str(source)) as container:
        assert container.streams.audio[0].time_base == Fraction(3, 125)
    convert(source, tmp_path / "out.mp4")
    codec, seconds, loudest = tone_of(tmp_path / "out.mp4")
    assert codec == "aac"
    assert seconds == pytest.approx(1, abs=0.1)
    assert loudest == pytest.approx(440, abs=3)


def test_a_clip_without_sound(tmp_path):
    convert(write(tmp_path / "in.mp4", 3, sound=None), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_strength_is_kept(clip, tmp_path):
    convert(clip, tmp_path / "out.mp4", settings=VideoSettings(Look(0.0), crf=4))
    _, frames = decoded(tmp_path / "out.mp4")
    assert np.abs(frames[5].rgb.astype(int) - picture(5)).mean() < 12


def test_decoding_and_encoding_do_not_wait_for_the_net(tmp_path, monkeypatch):
    """A net goes on with a frame when the next has been decoded and the last written: for whoever
    waits for it, it would wait for ever.
    """
    clip = write(tmp_path / "in.mp4", sound=None)
    decoded, written = threading.Semaphore(0), threading.Semaphore(0)
    items, write_item = Reader.items, Writer.write

    def noted_items(reader):
        for item in items(reader):
            if isinstance(item, Frame):
                decoded.release()
            yield item

    def noted_write(writer, item):
        write_item(writer, item)
        if isinstance(item, Frame):
            written.release()

    monkeypatch.setattr(Reader, "items", noted_items)
    monkeypatch.setattr(Writer, "write", noted_write)

    def others_go_on():
        wanted = {1: 2, 12: 0}.get(runner.runs, 1)  # its own frame, and the one after it
        assert all(decoded.acquire(timeout=60) for _ in range(wanted))
        assert runner.runs < 2 or written.acquire(timeout=60)

    runner = Invert(then=others_go_on)
    assert convert(clip, tmp_path / "out.mp4", runner).frames == 12
    assert runner.runs == 12


def test_a_stop_request_ends_the_file_and_it_plays(tmp_path, monkeypatch):
    stop = StopRequest()

    def wanted():
        if runner.runs == 5:
            stop.receive(signal.SIGTERM, None)

    monkeypatch.setattr("sttk.toolkit.video.convert.stop_requests", lambda: nullcontext(stop))
    runner = Invert(then=wanted)
    threads = {*threading.enumerate()}
    result = convert(write(tmp_path / "in.mp4", 60), tmp_path / "out.mp4", runner)
    assert result.stopped == signal.SIGTERM
    # Done, waiting to be written, or in work: at most what the net is ahead of the writer.
    assert 1 <= result.frames <= 5 + 1 + prefetch._DEPTH + 1
    assert len(decoded(tmp_path / "out.mp4")[1]) == result.frames
    assert {*threading.enumerate()} <= threads


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_as_a_user_sends_it(number, code, word, checkpoint, tmp_path):
    source, target = write(tmp_path / "in.mp4", 3000, sound=None), tmp_path / "out" / "out.mp4"
    arguments = [source, "-o", target, "--checkpoint", checkpoint, "--runtime", "torch"]
    command = [sys.executable, "-m", "sttk", "video", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    # Whenever it comes after this, one frame is waited for.
    while not (target.parent.is_dir() and any(target.parent.iterdir())):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=240)
    assert process.returncode == code, said
    (count,) = re.findall(
        rf"error: {word}: .* holds the first (\d+) frames \[interrupted\]$", said.strip()
    )
    assert len(decoded(target)[1]) == int(count)
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("there", [None, b"old"], ids=["new", "old"])
def test_a_net_that_fails_leaves_what_was_there(clip, tmp_path, there):
    def fail():
        if runner.runs == 3:
            raise RunError("no luck")

    runner = Invert(then=fail)
    target = tmp_path / "out.mp4"
    if there:
        target.write_bytes(there)
    with pytest.raises(RunError, match="no luck"):
        convert(clip, target, runner)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([there] if there else [])


def test_a_full_disk_is_an_error_and_leaves_nothing(clip, tmp_path, monkeypatch):
    def full(*_):
        raise av.error.OSError(28, "No space left on device")

    monkeypatch.setattr("sttk.toolkit.video.writer.Writer.finish", full)
    with pytest.raises(OSError, match=r"No space left on device.*out\.mp4"):
        convert(clip, tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


def test_steady_lowers_the_flicker_and_measuring_sees_it(tmp_path):
    """A net whose brightness jumps from frame to frame."""
    source = write(tmp_path / "in.mp4", 8, height=96, width=128, sound=None)

    def flickering(steady):
        runner = Invert()
        runner.run = lambda batch: 255 - batch + next(jumps)
        jumps = iter([0, -20] * 8)
        settings = VideoSettings(steady=steady, measure=True, crf=4)
        return convert(source, tmp_path / f"{steady}.mp4", runner, settings).flicker

    (calm, loud), (_, steady) = flickering(0.0), flickering(0.8)
    assert calm < 3
    assert loud > 15
    assert steady < loud / 2


def test_steady_does_not_smear_what_moves(tmp_path):
    source = write(tmp_path / "in.mp4", 8, height=96, width=128, sound=None)
    convert(source, tmp_path / "out.mp4", settings=VideoSettings(steady=0.8, crf=4))
    _, frames = decoded(tmp_path / "out.mp4")
    for index, frame in enumerate(frames):
        assert np.abs(frame.rgb.astype(int) - (255 - picture(index, 96, 128))).mean() < 6, index


def test_the_command(clip, checkpoint, sttk, tmp_path):
    target = tmp_path / "out.mp4"
    arguments = ("video", clip, "-o", target, "--checkpoint", checkpoint, "--runtime", "torch")
    result = sttk(*arguments, "--json", "--measure-flicker")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert (facts["frames"], facts["runtime"], facts["height"]) == (12, "torch", 48)
    assert facts["flicker"].keys() == {"input", "output"}
    again = sttk(*arguments)
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert "is there already (pass --force" in again.stderr
    assert sttk(*arguments, "--force").exit_code == 0


def test_the_fastest_runtime_is_the_default_and_of_the_clips_size(clip, checkpoint, sttk, tmp_path):
    result = sttk("video", clip, "-o", tmp_path / "out.mp4", "--checkpoint", checkpoint)
    assert result.exit_code == 0, result.output
    assert "64x48, 12 frames, openvino" in result.stdout


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("clip.mp4", "out.txt", "unknown video suffix"),
        ("none.mp4", "out.mp4", "no such file"),
        ("clip.mp4", "clip.mp4", "is the input, too"),
    ],
)
def test_wrong_use(clip, sttk, tmp_path, source, target, said):
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    result = sttk("video", tmp_path / source, "-o", tmp_path / target, "--force")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert said in result.stderr
    assert (tmp_path / "clip.mp4").read_bytes() == clip.read_bytes()


def test_a_truncated_clip_is_done_as_far_as_it_goes(checkpoint, sttk, tmp_path):
    whole = write(tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    arguments = ("--checkpoint", checkpoint, "--runtime", "torch")
    result = sttk("video", tmp_path / "cut.mkv", "-o", tmp_path / "out.mp4", *arguments)
    frames = decoded(tmp_path / "out.mp4")[1]
    assert 2 <= len(frames) < 12
    assert result.exit_code in (0, 1)
    assert all(one.time < other.time for one, other in pairwise(frames))


def test_what_a_killed_process_left_is_swept(clip, tmp_path):
    left = tmp_path / ".out.mp4.4194304.abc"
    left.write_bytes(b"half")
    convert(clip, tmp_path / "out.mp4")
    assert [path.name for path in Path(tmp_path).iterdir()] == ["out.mp4"]
