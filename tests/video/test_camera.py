from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import UsageError, VideoError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.runtimes.base import Closing
from sttk.toolkit.runtimes.stylize import Look
from sttk.toolkit.video import camera, live
from sttk.toolkit.video.camera import Camera, Newest, open_source
from sttk.toolkit.video.live import LiveSettings, run_live
from sttk.toolkit.video.page import serve
from sttk.toolkit.video.reader import open_video
from tests.video.clips import picture, write

_LONG = 120.0  # seconds that no machine needs, however busy: what hangs ends by it


class Fake:
    """A camera of which tests know every frame, and that is as slow or fast as they want.

    Args:
        frames: of it.
        waits: is called before each with its number; before its end with how many there were.
    """

    name = "fake camera"

    def __init__(self, frames, waits=lambda number: None):
        self.left, self.waits, self.taken = list(frames), waits, 0

    def read(self):
        self.waits(self.taken)
        self.taken += 1
        return self.left.pop(0) if self.left else None


class Invert(Closing):
    name = "invert"
    takes = Shapes.any()
    notes = ()

    def __init__(self, waits=lambda: None):
        self.waits = waits

    def run(self, batch):
        self.waits()
        return 255 - batch


class InTurn:
    """A camera's ``waits``: a frame comes when the one before was shown."""

    def __init__(self, then=lambda number: None):
        self.shown, self.then = threading.Semaphore(0), then

    def __call__(self, number):
        assert not number or self.shown.acquire(timeout=_LONG)
        self.then(number)


def run(source, settings, runner=None):
    shown = []

    def show(*given):
        shown.append(given)
        if isinstance(in_turn := getattr(source, "waits", None), InTurn):
            in_turn.shown.release()

    count = run_live(source, runner or Invert(), Contract(), settings, show)
    assert count == len(shown)
    return shown


class Clock:
    """Stands for the module ``time``: none passes but what is slept, or set."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (camera, live):
        monkeypatch.setattr(module, "time", clock)
    return clock


def test_frames_are_stylised_and_shown():
    shown = run(Fake([picture(n) for n in range(5)], InTurn()), LiveSettings(Look()))
    assert len(shown) == 5
    assert all((frame == 255 - picture(n)).all() for n, (frame, _) in enumerate(shown))
    assert shown[-1][1] > 0


def test_frames_that_nobody_has_time_for_are_dropped():
    """A net that is at the first of twenty until all the others have come has one more to do."""
    working, all_here = threading.Event(), threading.Event()

    def camera_waits(number):
        if number == 1:
            assert working.wait(_LONG)
        if number == 20:
            all_here.set()

    def net_waits():
        working.set()
        assert all_here.wait(_LONG)

    source = Fake([picture(n) for n in range(20)], camera_waits)
    shown = run(source, LiveSettings(Look()), Invert(net_waits))
    assert len(shown) == 2
    assert all((one[0] == 255 - picture(n)).all() for one, n in zip(shown, (0, 19), strict=True))


def test_it_stops_after_so_many():
    assert len(run(Fake([picture(0)] * 50, InTurn()), LiveSettings(Look(), most=3))) == 3


def test_a_recording_has_the_times_at_which_frames_came(tmp_path, clock):
    target, came = tmp_path / "out.mp4", [0.0, 0.1, 0.25, 0.3, 0.7, 0.75]

    def passes(number):
        clock.now = 1000.0 + [*came, 9.0][number]

    source = Fake([picture(n) for n in range(6)], InTurn(passes))
    run(source, LiveSettings(Look(), record=target))
    with open_video(target) as reader:
        frames = list(reader.frames())
    assert [float(frame.time) for frame in frames] == pytest.approx(came, abs=2e-3)
    assert np.abs(frames[0].rgb.astype(int) - (255 - picture(0))).mean() < 14


def test_a_source_that_fails_or_hangs_is_an_error(monkeypatch):
    class Unplugged(Fake):
        def read(self):
            raise VideoError("unplugged")

    with pytest.raises(VideoError, match="unplugged"):
        run(Unplugged([]), LiveSettings(Look()))
    monkeypatch.setattr(camera, "_TIMEOUT", 0.2)
    told = threading.Event()
    try:
        with pytest.raises(VideoError, match="fake camera: no frame for"):
            run(Fake([picture(0)], lambda number: told.wait(_LONG)), LiveSettings(Look()))
    finally:
        told.set()


def test_newest_ends_its_thread():
    newest = Newest(Fake([picture(0)] * 10**6))
    next(newest.frames())
    newest.close()
    newest._thread.join(_LONG)  # close() waits for a second, which a busy machine may not have
    assert not newest._thread.is_alive()


def test_a_file_plays_at_its_pace(clip, clock):
    with open_source(str(clip)) as source:
        for number in range(12):
            assert source.read() is not None
            assert clock.now == pytest.approx(1000 + number / 12)
            clock.now += 0.02  # of a twelfth: the rest is waited for
        assert source.read() is None
    assert clock.slept[1:] == pytest.approx([1 / 12 - 0.02] * 11)


def test_a_file_waits_for_its_net_and_plays_from_its_first_frame(tmp_path, clock):
    """Its clock starts at the first frame, though that has a late time: sound came before it."""
    late = write(tmp_path / "late.mkv", 6, times=lambda index: 2000 + 100 * index)
    with open_source(str(late)) as source:
        clock.now += 0.7  # while a net is made
        while source.read() is not None:
            pass
    assert clock.slept == pytest.approx([0, *[0.1] * 5])


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
        run(source, LiveSettings(Look()))


def test_a_camera_that_is_unplugged_leaves_its_recording(monkeypatch, tmp_path):
    class Unplugged(Fake):
        def read(self):
            frame = super().read()
            if frame is None:
                raise VideoError("unplugged")
            return frame

    source, target = Unplugged([picture(0)] * 4, InTurn()), tmp_path / "out.mp4"
    with pytest.raises(VideoError, match="unplugged"):
        run(source, LiveSettings(Look(), record=target))
    with open_video(target) as reader:
        assert len(list(reader.frames())) == 4
    assert list(tmp_path.iterdir()) == [target]


def test_opencv_frames_become_rgb(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    found = Camera(0, (48, 64))
    assert (found.read() == picture(3)).all()
    assert found._capture.asked == {cv2.CAP_PROP_FRAME_HEIGHT: 48, cv2.CAP_PROP_FRAME_WIDTH: 64}


@contextmanager
def asked(page, path, host=None):
    port = int(page.url.rsplit(":", 1)[1].strip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LONG)
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


def test_the_command(checkpoint, sttk, tmp_path):
    # A file that plays drops what the net has no time for: of a minute, three are always left.
    clip, target = write(tmp_path / "clip.mp4", 720, sound=None), tmp_path / "out.mp4"
    arguments = ("--checkpoint", checkpoint, "--runtime", "torch", "--port", 0)
    result = sttk("camera", "--source", clip, "-o", target, "--frames", 3, *arguments)
    assert result.exit_code == 0, result.output
    assert "http://127.0.0.1:" in result.stdout
    assert f"3 frames, in {target}" in result.stdout
    with open_video(target) as reader:
        assert len(list(reader.frames())) == 3
