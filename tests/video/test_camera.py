from __future__ import annotations

import http.client
import json
import threading
import time
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from tests.video.clips import picture, write
from toolkit.contract import Contract
from toolkit.errors import UsageError, VideoError
from toolkit.shapes import Shapes
from toolkit.stylize import Look
from toolkit.video import camera
from toolkit.video.camera import Camera, Newest, open_source
from toolkit.video.live import Settings, run_live
from toolkit.video.page import serve
from toolkit.video.reader import open_video


class Fake:
    """A camera of which tests know every frame."""

    name = "fake camera"

    def __init__(self, frames, seconds=0.0):
        self.left, self.seconds = list(frames), seconds

    def read(self):
        time.sleep(self.seconds)
        return self.left.pop(0) if self.left else None


class Invert:
    name = "invert"
    takes = Shapes.any()
    notes = ()

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def run(self, batch):
        time.sleep(self.seconds)
        return 255 - batch


def run(source, settings, runner=None):
    shown = []
    count = run_live(source, runner or Invert(), Contract(), settings, lambda *p: shown.append(p))
    assert count == len(shown)
    return shown


def test_frames_are_stylised_and_shown():
    shown = run(Fake([picture(n) for n in range(5)], seconds=0.05), Settings(Look()))
    assert (shown[0][0] == 255 - picture(0)).all()
    assert shown[-1][1] > 0


def test_frames_that_nobody_has_time_for_are_dropped():
    source = Fake([picture(n) for n in range(20)], seconds=0.02)
    shown = run(source, Settings(Look()), Invert(seconds=0.15))
    assert 2 <= len(shown) <= 6
    assert (shown[-1][0] == 255 - picture(19)).all()


def test_it_stops_after_so_many():
    assert len(run(Fake([picture(0)] * 50, seconds=0.01), Settings(Look(), most=3))) == 3


def test_a_recording_has_the_times_at_which_frames_came(tmp_path):
    target = tmp_path / "out.mp4"
    run(Fake([picture(n) for n in range(6)], seconds=0.1), Settings(Look(), record=target))
    with open_video(target) as reader:
        frames = list(reader.frames())
    assert len(frames) == 6
    assert 0.4 <= frames[-1].time <= 1.5
    assert np.abs(frames[0].rgb.astype(int) - (255 - picture(0))).mean() < 14


def test_a_source_that_fails_or_hangs_is_an_error(monkeypatch):
    class Unplugged(Fake):
        def read(self):
            raise VideoError("unplugged")

    with pytest.raises(VideoError, match="unplugged"):
        run(Unplugged([]), Settings(Look()))
    monkeypatch.setattr(camera, "_PATIENCE", 0.2)
    with pytest.raises(VideoError, match="fake camera: no frame for"):
        run(Fake([picture(0)], seconds=1.5), Settings(Look()))


def test_newest_ends_its_thread():
    before = threading.active_count()
    newest = Newest(Fake([picture(0)] * 1000, seconds=0.01))
    next(newest.frames())
    newest.close()
    assert threading.active_count() <= before


def test_a_file_plays_at_its_pace(clip):
    started = time.monotonic()
    with open_source(str(clip)) as source:
        count = 0
        while source.read() is not None:
            count += 1
    assert count == 12
    assert time.monotonic() - started >= 11 / 12


def test_a_file_waits_for_its_net_and_plays_from_its_first_frame(tmp_path):
    """Its clock starts at the first frame, though that has a late time: sound came before it."""
    late = write(tmp_path / "late.mkv", 6, times=lambda index: 2000 + 100 * index)
    with open_source(str(late)) as source:
        time.sleep(0.7)  # while a net is made
        started = time.monotonic()
        assert source.read() is not None
        assert time.monotonic() - started < 0.4
        while source.read() is not None:
            pass
        assert 0.5 <= time.monotonic() - started < 1.5


def test_no_camera_is_one_line(sttk, checkpoint):
    result = sttk("camera", "--source", "63", "--checkpoint", checkpoint)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "camera 63: cannot be opened" in result.stderr


class Capture:
    """OpenCV's camera, with frames until it is unplugged."""

    frames = 1

    def __init__(self, _number):
        self.asked, self.left = {}, self.frames

    def isOpened(self):  # noqa: N802
        return True

    def set(self, what, value):
        self.asked[what] = value

    def read(self):
        self.left -= 1
        return (True, picture(3)[..., ::-1]) if self.left >= 0 else (False, None)

    def release(self):
        pass


@pytest.mark.parametrize("frames", [0, 2], ids=["at once", "unplugged"])
def test_a_camera_without_a_picture_is_an_error(monkeypatch, frames):
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr(Capture, "frames", frames)
    with open_source("0") as source, pytest.raises(VideoError, match="camera 0: gives no picture"):
        run(source, Settings(Look()))


def test_a_camera_that_is_unplugged_leaves_its_recording(monkeypatch, tmp_path):
    class Unplugged(Fake):
        def read(self):
            frame = super().read()
            if frame is None:
                raise VideoError("unplugged")
            return frame

    source, target = Unplugged([picture(0)] * 4, seconds=0.1), tmp_path / "out.mp4"
    with pytest.raises(VideoError, match="unplugged"):
        run(source, Settings(Look(), record=target))
    with open_video(target) as reader:
        assert len(list(reader.frames())) >= 3
    assert list(tmp_path.iterdir()) == [target]


def test_opencv_frames_become_rgb(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    found = Camera(0, (48, 64))
    assert (found.read() == picture(3)).all()
    assert found._capture.asked == {cv2.CAP_PROP_FRAME_HEIGHT: 48, cv2.CAP_PROP_FRAME_WIDTH: 64}


@contextmanager
def asked(page, path, host=None):
    port = int(page.url.rsplit(":", 1)[1].strip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    try:
        yield connection.getresponse()
    finally:
        connection.close()


@pytest.fixture
def page():
    with serve("camera 0, invert", "127.0.0.1", 0) as page:
        yield page


def test_the_page_and_its_figures(page):
    page.show(picture(0), 12.34)
    with asked(page, "/") as answer:
        assert answer.status == 200
        assert b'src="/picture"' in answer.read()
        assert "default-src 'none'" in answer.getheader("Content-Security-Policy")
    with asked(page, "/facts") as answer:
        assert json.loads(answer.read()) == {
            "title": "camera 0, invert",
            "fps": 12.3,
            "ended": False,
        }
    with asked(page, "/../pyproject.toml") as answer:
        assert answer.status == 404


def test_the_picture_is_a_stream_of_jpegs(page):
    page.show(picture(0), 1.0)
    with asked(page, "/picture") as answer:
        assert answer.status == 200
        for index in range(2):
            head = b"".join(iter(answer.readline, b"\r\n"))
            length = int(head.split(b"Content-Length: ")[1])
            jpeg = answer.read(length)
            assert answer.readline() == b"\r\n"
            rgb = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            assert np.abs(rgb.astype(int) - picture(index)).mean() < 8
            page.show(picture(1), 1.0)
        page.end()
        while answer.readline():
            pass


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example"])
def test_other_names_for_this_machine_are_refused(page, host):
    page.show(picture(0), 1.0)
    with asked(page, "/picture", host) as answer:
        assert answer.status == 403


def test_a_port_that_is_taken_is_one_line(page):
    port = int(page.url.rsplit(":", 1)[1].strip("/"))
    with (
        pytest.raises(UsageError, match="pass another --host or --port"),
        serve("x", "127.0.0.1", port),
    ):
        pass


def test_the_command(clip, checkpoint, sttk, tmp_path):
    target = tmp_path / "out.mp4"
    arguments = ("--checkpoint", checkpoint, "--runtime", "torch", "--port", 0)
    result = sttk("camera", "--source", clip, "-o", target, "--frames", 3, *arguments)
    assert result.exit_code == 0, result.output
    assert "http://127.0.0.1:" in result.stdout
    assert f"3 frames, in {target}" in result.stdout
    with open_video(target) as reader:
        assert len(list(reader.frames())) == 3
