from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys

import pytest

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.web import server


@pytest.fixture
def page(tmp_path):
    """A folder with files of some kinds, a link that leads out of it, and something outside."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "page"
    (folder / "inner").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("index.html", "a b.js", "m.mjs", "n.wasm", "inner/index.html", ".hidden/x.txt"):
        (folder / name).write_text(name)
    (folder / "program.py").write_text("1")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
def ask(page):
    """Asks a server of it: ``ask("/x", Host="y")`` -> (status, headers, body)."""
    with server.serving(page) as running:

        def get(path, method="GET", **headers):
            connection = http.client.HTTPConnection("127.0.0.1", running.server_port, timeout=120)
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            found = answer.status, dict(answer.headers), answer.read()
            connection.close()
            return found

        yield get


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/", "text/html; charset=utf-8", b"index.html"),
        ("/index.html?backend=wasm", "text/html; charset=utf-8", b"index.html"),
        ("/a%20b.js", "text/javascript; charset=utf-8", b"a b.js"),
        ("/m.mjs", "text/javascript; charset=utf-8", b"m.mjs"),
        ("/n.wasm", "application/wasm", b"n.wasm"),
        ("/inner/", "text/html; charset=utf-8", b"inner/index.html"),
    ],
)
def test_files_come_with_their_types(ask, path, kind, body):
    status, headers, content = ask(path)
    assert (status, headers["Content-Type"], content) == (200, kind, body)


def test_every_answer_isolates_the_page(ask):
    for path in ("/", "/absent"):
        _, headers, _ = ask(path)
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe-inline" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/inner/../../secret.txt",
        "//etc/passwd", "/%2fetc/passwd", "/out.txt", "/.hidden/x.txt", "/program.py", "/inner",
        "/a%00b.js", "/" + "a/" * 2000, "/index.html/", "/./index.html", "/C:/x.txt",
    ],
)  # fmt: skip
def test_nothing_else_is_served(ask, path):
    status, _, body = ask(path)
    assert status in (404, 414)
    assert b"secret" not in body
    assert b"root:" not in body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:80", 200), ("[::1]:80", 200), ("evil.example", 403),
        ("evil.example:80", 403), ("127.0.0.1.evil.example", 403), ("", 403),
    ],
)  # fmt: skip
def test_who_asks_by_another_name_gets_nothing(ask, host, status):
    assert ask("/", Host=host)[0] == status


def test_what_has_not_changed_is_not_sent_again(ask):
    tag = ask("/")[1]["ETag"]
    assert ask("/", If_None_Match=tag)[::2] == (304, b"")
    assert ask("/", If_None_Match='"other"')[0] == 200


def test_only_files_can_be_asked_for(ask):
    assert ask("/", method="HEAD")[::2] == (200, b"")
    assert ask("/", method="POST")[0] == 501


def test_a_port_that_is_taken(page):
    with (
        server.serving(page) as running,
        pytest.raises(UsageError, match="pass another --host or --port"),
        server.serving(page, port=running.server_port),
    ):
        pass


def test_ctrl_c_ends_it_well(page):
    command = [sys.executable, "-u", "-m", "sttk", "serve", page, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as running:
        said = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(240) == 0
    assert said.startswith("http://127.0.0.1:")
    assert said.rstrip().endswith("page; Ctrl-C ends it")


def test_what_there_is_no_page_of(sttk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = sttk("serve")
    assert result.exit_code == 2
    assert "artifacts/ holds 0 pages (make one with 'sttk export --target web')" in result.stderr
    result = sttk("serve", tmp_path)
    assert result.exit_code == 2
    assert "no index.html here" in result.stderr
