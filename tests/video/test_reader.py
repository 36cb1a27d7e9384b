from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from sttk.toolkit.core.errors import VideoError
from sttk.toolkit.video.reader import Frame, open_video
from tests.video.clips import picture, turn, write


def frames_of(path):
    with open_video(path) as reader:
        return reader.facts, list(reader.frames())


def near(one, other, most=12):
    return np.abs(one.astype(int) - other.astype(int)).mean() < most


def test_frames_come_with_their_times(clip):
    facts, frames = frames_of(clip)
    assert (facts.height, facts.width, facts.rate, facts.frames) == (48, 64, 12, 12)
    assert [frame.time for frame in frames] == [Fraction(n, 12) for n in range(12)]
    assert all(near(frame.rgb, picture(n), 4) for n, frame in enumerate(frames))


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_frames_are_upright(tmp_path, quarters):
    facts, frames = frames_of(turn(write(tmp_path / "turned.mp4", 2), quarters))
    upright = np.rot90(picture(0), -quarters)
    assert frames[0].rgb.shape == upright.shape == (facts.height, facts.width, 3)
    assert near(frames[0].rgb, upright, 4)


@pytest.mark.parametrize("colorspace", [1, 5], ids=["bt709", "bt601"])
@pytest.mark.parametrize("color_range", [1, 2], ids=["limited", "full"])
def test_matrix_and_range_are_the_files(tmp_path, colorspace, color_range):
    color = {"colorspace": colorspace, "color_range": color_range}
    _, frames = frames_of(write(tmp_path / "clip.mp4", 2, color=color, pix_fmt="yuv444p"))
    # A wrong matrix or range is off by 8 and more on these colours.
    assert np.abs(frames[0].rgb.astype(int) - picture(0)).max() <= 5


@pytest.mark.parametrize(("height", "told"), [(720, 1), (480, 5)])
def test_an_unsaid_matrix_is_taken_as_players_take_it(tmp_path, height, told):
    """Written in the matrix that players assume at this height, and not tagged."""
    path = write(
        tmp_path / "clip.mkv",
        1,
        height=height,
        width=height,
        codec="ffv1",
        pix_fmt="yuv444p",
        sound=None,
        color={"colorspace": told},
    )
    untagged = tmp_path / "untagged.mkv"
    strip_color(path, untagged)
    with av.open(str(untagged)) as container:
        assert next(container.decode(video=0)).colorspace == 2
    _, frames = frames_of(untagged)
    assert np.abs(frames[0].rgb.astype(int) - picture(0, height, height)).max() <= 5


def strip_color(path, to):
    with av.open(str(path)) as source, av.open(str(to), "w", format="matroska") as target:
        stream = target.add_stream("ffv1", rate=12)
        frame = next(source.decode(video=0))
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv444p"
        frame.colorspace = 2
        frame.color_range = 0
        target.mux(stream.encode(frame))
        target.mux(stream.encode())


def test_ten_bits_and_odd_sizes(tmp_path):
    path = write(tmp_path / "clip.mkv", 3, height=35, width=51, codec="ffv1", pix_fmt="yuv444p10le")
    facts, frames = frames_of(path)
    assert (facts.height, facts.width, len(frames)) == (35, 51, 3)
    assert near(frames[2].rgb, picture(2, 35, 51), 3)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_known_and_brought_to_ordinary_range(tmp_path, transfer, name):
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    path = write(
        tmp_path / "hdr.mkv", 2, codec="ffv1", pix_fmt="yuv420p10le", sound=None, color=color
    )
    facts, frames = frames_of(path)
    assert facts.hdr == name
    # The code values shown as they are would be the picture itself.
    assert not near(frames[0].rgb, picture(0), 4)
    assert frames[0].rgb.dtype == np.uint8


def test_uneven_times_are_kept(tmp_path):
    stamps = [0, 100, 250, 260, 500, 505]
    path = write(tmp_path / "clip.mkv", 6, times=stamps.__getitem__, sound=None)
    _, frames = frames_of(path)
    assert [round(frame.time * 1000) for frame in frames] == stamps


def test_sound_comes_between_the_frames(clip):
    with open_video(clip) as reader:
        kinds = [isinstance(item, Frame) for item in reader.items()]
    assert kinds.count(True) == 12
    assert not all(kinds[:12])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a readable video"),
        (b"no video at all", "not a readable video"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "not a readable video"),
        (b"ffconcat version 1.0\nfile clip.mp4\n", "not a readable video"),
    ],
    ids=["empty", "text", "playlist", "script"],
)
def test_what_is_no_video(tmp_path, content, said):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=said):
        frames_of(tmp_path / "clip.mp4")


def test_what_is_not_there_is_a_folder_or_has_sound_only(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        frames_of(tmp_path / "none.mp4")
    with pytest.raises(VideoError, match="is no file"):
        frames_of(tmp_path)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match="no video in it"):
        frames_of(tmp_path / "sound.mp4")


def test_a_broken_middle_leaves_the_rest(clip, tmp_path):
    whole, count = clip.read_bytes(), 0
    data = bytearray(whole)
    start = whole.index(b"mdat") + 4
    # The whole of a frame's data, not its length: what a bad sector does.
    data[start + 2000 : start + 6000] = bytes(4000)
    (tmp_path / "bad.mp4").write_bytes(data)
    with open_video(tmp_path / "bad.mp4") as reader:
        count = len(list(reader.frames()))
        assert reader.broken > 0
    assert 0 < count < 12


def test_a_size_that_no_camera_has(monkeypatch, clip):
    monkeypatch.setattr("sttk.toolkit.video.reader.MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(VideoError, match="64x48 is more than"):
        frames_of(clip)
