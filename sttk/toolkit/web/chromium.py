"""Headless Chromium, controlled through a pair of pipes; it exits with the process that started it.

Little of its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) is needed, so
no library is used. Chromium exits when the pipes close: a killed process leaves none behind.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sttk.toolkit.core.errors import NotRunError, RunError
from sttk.toolkit.io.json_text import loads

VARIABLE = "STTK_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-dev-shm-usage", "--metrics-recording-only", "--mute-audio",
    "--password-store=basic", "--force-color-profile=srgb", "--hide-scrollbars",
)  # fmt: skip
# Chromium reads from descriptor 3 and writes to 4; the pipes have other numbers here.
_EXEC = (
    "import os, sys; r, w = map(int, sys.argv[1:3]); r, w = os.dup(r), os.dup(w); "
    "os.dup2(r, 3); os.dup2(w, 4); [os.set_inheritable(fd, True) for fd in (3, 4)]; "
    "os.execv(sys.argv[3], sys.argv[3:])"
)
_START, _END = 60.0, 5.0  # seconds
_LOG = "stderr.txt"  # in the profile folder
# Chromium creates a socket in TMPDIR, whose path may have 103 bytes (macOS; 107 on Linux): if it is
# longer, Chromium exits at once.
_SOCKET = 103 - len("/org.chromium.Chromium.abcdef/SingletonSocket")


def find() -> str | None:
    """Return the path of Chromium or Chrome: ``STTK_CHROMIUM``, else one of the usual names."""
    if named := os.environ.get(VARIABLE):
        return shutil.which(named)
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Chromium:
    """A running browser with a temporary profile.

    Args:
        flags: additional command-line flags.

    Raises:
        NotRunError: Chromium is not installed, or does not start.
    """

    def __init__(self, flags: Sequence[str] = ()) -> None:
        program = find()
        if program is None or os.name != "posix":
            raise NotRunError(
                "no Chromium here", fix=f"install it, or set {VARIABLE} to where it is"
            )
        self._launch(program, flags)
        try:
            self.call("Browser.getVersion", seconds=_START)
        except RunError as error:
            said = _reason(Path(self._profile) / _LOG)
            self.close()
            raise NotRunError(f"{program} does not start: {error}{said}") from error

    def _launch(self, program: str, flags: Sequence[str]) -> None:
        self._profile = tempfile.mkdtemp(prefix="sttk-chromium-")
        theirs, self._to = os.pipe()
        self._from, their_end = os.pipe()
        root = ("--no-sandbox",) if os.geteuid() == 0 else ()
        profile = f"--user-data-dir={self._profile}"
        command = [program, *_FLAGS, *root, *flags, profile, "about:blank"]
        with (Path(self._profile) / _LOG).open("wb") as log:
            # The program comes from the user's PATH or variable.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", _EXEC, str(theirs), str(their_end), *command],
                pass_fds=(theirs, their_end),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )
        os.close(theirs)
        os.close(their_end)
        self.close = weakref.finalize(
            self, _end, self._process, (self._to, self._from), self._profile
        )
        self._count, self._unread = 0, b""

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(
        self, method: str, parameters: dict[str, Any] | None = None, *,
        session: str | None = None, seconds: float,
    ) -> dict[str, Any]:  # fmt: skip
        """Call a method of the DevTools protocol and return its result.

        Raises:
            RunError: the browser returns an error, takes too long, or has exited.
        """
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        until = time.monotonic() + seconds
        try:
            os_write_all(self._to, json.dumps(message).encode() + b"\0")
        except OSError as error:
            raise RunError("Chromium has ended") from error
        while (answer := self._read(until)).get("id") != self._count:
            pass  # an event, or the answer to a call that timed out
        if "error" in answer:
            raise RunError(f"Chromium: {answer['error'].get('message')}")
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self, until: float) -> dict[str, Any]:
        parts = [self._unread]
        while b"\0" not in parts[-1]:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                self._unread = b"".join(parts)
                raise RunError("Chromium takes too long")
            part = os.read(self._from, 1 << 20)
            if not part:
                raise RunError("Chromium has ended")
            parts.append(part)
        whole, _, self._unread = b"".join(parts).partition(b"\0")
        message: dict[str, Any] = loads(whole)
        return message


class Tab:
    """A page in a browser.

    Args:
        browser: the browser in which to open the page.
        url: the address of the page.
        size: the (width, height) of the window in CSS pixels.
        scale: the device pixel ratio, 2 to 3 on a phone.
    """

    def __init__(
        self, browser: Chromium, url: str, size: tuple[int, int] = (1280, 800), scale: float = 1
    ) -> None:
        self._browser = browser
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = {"targetId": target, "flatten": True}
        self._session = browser.call("Target.attachToTarget", attached, seconds=_START)["sessionId"]
        window = {"width": size[0], "height": size[1], "deviceScaleFactor": scale}
        phone = {"mobile": scale > 1}
        self.call("Emulation.setDeviceMetricsOverride", {**window, **phone})
        moved = self.call("Page.navigate", {"url": url})
        if reason := moved.get("errorText"):
            raise RunError(f"Chromium: {url}: {reason}")
        self._wait_for(url)

    def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._browser.call(method, parameters, seconds=_START)

    def call(self, method: str, parameters: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
        """Call a method of the protocol for this page; see :meth:`Chromium.call`."""
        return self._browser.call(method, parameters, session=self._session, seconds=seconds)

    def _wait_for(self, url: str) -> None:
        """Wait until the browser has navigated to the page and its document is loaded."""
        wanted = json.dumps(url.partition("#")[0])
        there = f"location.href.startsWith({wanted}) && document.readyState !== 'loading'"
        until = time.monotonic() + _START
        while not self.run(f"() => {there}"):
            if time.monotonic() > until:
                raise RunError(f"Chromium: {url} cannot be loaded")
            time.sleep(0.02)

    def run(self, function: str, *arguments: Any, seconds: float = 60) -> Any:
        """Call a JavaScript function with JSON values, await its promise, and return the result.

        Raises:
            RunError: the function throws, or takes longer than ``seconds``.
        """
        parameters = {
            "functionDeclaration": function,
            "objectId": self._object("globalThis"),
            "arguments": [{"value": argument} for argument in arguments],
            "awaitPromise": True,
            "returnByValue": True,
        }
        answer = self.call("Runtime.callFunctionOn", parameters, seconds)
        if thrown := answer.get("exceptionDetails"):
            said = thrown.get("exception", {}).get("description") or thrown.get("text", "")
            raise RunError(f"the page: {' '.join(str(said).split())[:300]}")
        return answer["result"].get("value")

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in an input of the page, as a user would."""
        chosen = self._object(f"document.querySelector({json.dumps(selector)})")
        self.call("DOM.setFileInputFiles", {"files": [str(file.resolve())], "objectId": chosen})

    def press(self, key: str, code: int) -> None:
        """Press and release a key, such as ``Tab``, whose Windows key code is 9."""
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            about = {"type": kind, "key": text if key == "Space" else key, "code": key}
            typed = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", {**about, **typed, "windowsVirtualKeyCode": code})

    def picture(self) -> bytes:
        """Return a screenshot of the page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", {"format": "png"})["data"])

    def _object(self, expression: str) -> str:
        made = self.call("Runtime.evaluate", {"expression": expression})["result"]
        if "objectId" not in made:
            raise RunError(f"the page: no {expression}")
        return str(made["objectId"])


def os_write_all(descriptor: int, content: bytes) -> None:
    """Write all of ``content``: a pipe takes only a part at a time."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _environment() -> dict[str, str]:
    """Return our environment, with another TMPDIR if its path is too long for a socket."""
    too_long = len(os.fsencode(tempfile.gettempdir())) > _SOCKET
    return {**os.environ, "TMPDIR": "/tmp"} if too_long else dict(os.environ)  # noqa: S108


def _reason(log: Path) -> str:
    """Return the fatal error in Chromium's log, else its last line, to append to an error."""
    lines = log.read_text("utf-8", "replace").strip().splitlines() if log.is_file() else []
    said = next((line for line in lines if ":FATAL:" in line), lines[-1] if lines else "")
    return f": {said[:200]}" if said else ""


def _end(process: subprocess.Popen[bytes], pipes: tuple[int, int], profile: str) -> None:
    """Close the pipes, kill what has not exited after that, and remove the profile."""
    for pipe in pipes:
        with contextlib.suppress(OSError):
            os.close(pipe)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END)
    shutil.rmtree(profile, ignore_errors=True)
