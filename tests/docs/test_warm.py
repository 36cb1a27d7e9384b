"""The server that runs the commands of docs/ outlives clients that are ended by signals."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.docs import pages, warm

SERVER = "from tests.docs import warm; warm._HEAVY = (); warm.serve({address!r})"
# A command that waits until it is interrupted, in the place of sttk's.
WAITS = """
import sys, time, sttk.cli
def main():
    try:
        print("started", flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        sys.exit(130)
sttk.cli.main = main
"""


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Writes the script of a client whose server runs this code first."""
    servers = []

    def start(before=""):
        address, script = tmp_path / "socket", tmp_path / "sttk"
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        command = [sys.executable, "-c", before + SERVER.format(address="socket")]
        servers.append(subprocess.Popen(command, env={"PYTHONPATH": str(pages.ROOT)}))
        while not address.exists():
            assert servers[-1].poll() is None
            time.sleep(0.02)
        script.write_text(warm.CLIENT.format(python=sys.executable, address=str(address)))
        script.chmod(0o755)
        return script

    yield start
    for server in servers:
        server.terminate()
        server.wait()


def test_a_client_that_has_gone_stops_no_other(client, tmp_path):
    script = client()
    for said in (b"", (100).to_bytes(4, "big"), (2).to_bytes(4, "big") + b"{]"):
        with socket.socket(socket.AF_UNIX) as gone:
            gone.connect(str(tmp_path / "socket"))
            if said:
                socket.send_fds(gone, [said[:4]], [0, 1, 2])
                gone.sendall(said[4:])
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sttk" in done.stdout


def test_a_signal_reaches_the_command_and_nobody_else(client):
    script = client(WAITS)
    with subprocess.Popen([script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(240) == 130
