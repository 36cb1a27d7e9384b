"""A process that has imported what sttk imports, and forks for every command.

Half a minute of importing torch and its exporters for each of a hundred commands would be most of
the time that the tests of docs/ take. What a command does is what ``python -m sttk`` does: it
has a process, a folder, an environment and files of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

# None of them starts a thread when it is imported, which a fork would lose.
_HEAVY = (
    "torch", "torch.onnx._internal.exporter._core", "torch.onnx._internal.exporter._compat",
    "onnx", "onnxscript", "onnxsim", "onnxruntime", "openvino", "coremltools", "matplotlib",
    "sttk.exporters.artifact", "sttk.cli", "sttk.toolkit.parity.run", "sttk.workflows.session",
)  # fmt: skip
_LONGEST = 1 << 20
_LOOK = 5.0  # seconds

# The ``sttk`` on PATH: it hands its arguments, folder, environment and streams over, and signals.
CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
signals = signal.SIGINT, signal.SIGTERM
signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # until there is a command to hand them to
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
said = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(said).to_bytes(4, "big")], [0, 1, 2])
server.sendall(said)
answers = server.makefile()
command = int(answers.readline() or sys.exit(70))
for number in signals:
    signal.signal(number, lambda number, _: os.kill(command, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
sys.exit(int(answers.readline() or 70))
"""


def serve(address: str) -> None:
    """Until the process is ended, or the one that started it has gone."""
    parent = os.getppid()
    for name in _HEAVY:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # an extra that is not here
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        listening.settimeout(_LOOK)
        while os.getppid() == parent:
            try:
                asked, _ = listening.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listening.close()
                _ends(_answer, asked)
            asked.close()
            _reap()


def _reap() -> None:
    """Whoever has answered and ended; its time counts as this process's, too."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _ends(work: Callable[..., None], *arguments: Any) -> NoReturn:
    """Leave a forked process whatever happens in it.

    An exception that went up would end it as Python ends a program: by waiting for the threads of
    libraries, which a fork does not have.
    """
    try:
        work(*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _answer(asked: socket.socket) -> None:
    """Run a command in a process of its own, and send its exit code to the client."""
    length, streams, _, _ = socket.recv_fds(asked, 4, 3)
    said, wanted = b"", int.from_bytes(length, "big")
    while not said or len(said) < wanted:
        said += (part := asked.recv(_LONGEST))
        if not part:
            return  # the client has gone
    request = json.loads(said)
    command = os.fork()
    if command == 0:
        _ends(_run, *request, streams)
    asked.sendall(f"{command}\n".encode())
    for stream in streams:
        os.close(stream)  # whoever reads them waits for the command, not for this process
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(BrokenPipeError):  # a signal has ended the client meanwhile
        asked.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _run(
    arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]
) -> None:
    code = 70
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["sttk", *arguments]
        importlib.import_module("sttk.cli").main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    serve(sys.argv[1])
