"""What users copy into their pipelines is run: the README's recipe, the action, the hooks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from packaging.requirements import Requirement

from sttk.toolkit import devices
from sttk.toolkit.host.packages import extras

ROOT = Path(__file__).parents[1]
ACTION = ROOT / ".github" / "actions" / "parity"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
# Notes what it was called with, and claims to have done it.
RECORDER = '#!/bin/sh\nprintf "%s\\n" "$@" >> "$RECORD"\n'
# As 'python3 -m venv FOLDER', for what comes of it.
MAKES_VENV = '#!/bin/sh\nmkdir -p "$3/bin" && cp "$(dirname "$0")/pip" "$3/bin/python"\n'


def blocks():
    """The README's YAML, parsed."""
    fenced = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [yaml.safe_load(block) for block in fenced.findall((ROOT / "README.md").read_text())]


@pytest.fixture
def environment(tmp_path):
    """A runner's: sttk on the path, and nothing that would reach the network."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = "from sttk.cli import main; main()"
    scripts = {
        "sttk": f"#!/bin/sh\nexec {sys.executable} -c '{program}' \"$@\"\n",
        "pip": RECORDER,
        "python3": MAKES_VENV,
    }
    for name, text in scripts.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        "RECORD": str(tmp_path / "record"),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ACTION),
        "GITHUB_PATH": str(tmp_path / "path"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


@pytest.fixture
def run(environment, tmp_path):
    """Runs a step's commands as GitHub does, in one empty folder."""
    folder = tmp_path / "checkout"
    folder.mkdir()

    def step(commands, **variables):
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", commands],
            cwd=folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    step.folder = folder
    return step


def passed(file):
    root = ET.parse(file).getroot()
    return int(root.get("tests")) > 1 and root.get("failures") == root.get("errors") == "0"


@pytest.mark.nightly
def test_the_workflow_of_the_readme(run, tmp_path):
    workflow = blocks()[0]
    (job,) = workflow["jobs"].values()
    for step in job["steps"]:
        if "run" in step:
            done = run(step["run"], **job["env"])
            assert done.returncode == 0, done.stderr
    assert passed(run.folder / "parity.xml")
    assert "parity holds for 1 model" in (tmp_path / "summary.md").read_text()
    assert "::notice" in done.stderr
    (wanted,) = (line for line in (tmp_path / "record").read_text().split("\n") if "@" in line)
    assert Requirement(wanted).extras <= set(extras())
    uploaded = next(
        step["with"]["path"] for step in job["steps"] if "upload" in step.get("uses", "")
    )
    for pattern in uploaded.split():
        assert list(run.folder.glob(pattern)), pattern


def test_the_workflow_of_the_readme_runs_on_x86_and_on_arm():
    (job,) = blocks()[0]["jobs"].values()
    ((axis, runners),) = job["strategy"]["matrix"].items()
    assert {runner.endswith("-arm") for runner in runners} == {True, False}
    assert job["runs-on"] == f"${{{{ matrix.{axis} }}}}"
    (name,) = (step["with"]["name"] for step in job["steps"] if "upload" in step.get("uses", ""))
    assert job["runs-on"] in name  # of two uploads of one name, GitHub refuses the second


def test_the_use_of_the_action_in_the_readme():
    (job,) = blocks()[1].values()
    (step,) = (step for step in job["steps"] if "sttk" in step["uses"])
    path = re.fullmatch(r"OWNER/sttk/(.+)@REV", step["uses"])[1]
    assert ROOT / path == ACTION
    given = step["with"]
    assert set(given) <= set(action()["inputs"])
    assert set(given["devices"].split()) <= set(devices.NAMES)
    assert Requirement(f"sttk[{given['extras']}]").extras <= set(extras())


def action():
    return yaml.safe_load((ACTION / "action.yml").read_text())


def steps(given):
    """The action's steps that run with these inputs, each with its variables."""
    inputs = {name: each["default"] for name, each in action()["inputs"].items()} | given
    for step in action()["runs"]["steps"]:
        assert step["shell"] == "bash"
        needs = re.fullmatch(r"inputs\.(\w+) != ''", step.get("if", ""))
        if needs and not inputs[needs[1]]:
            continue
        variables = {name: filled(value, inputs) for name, value in step["env"].items()}
        assert "${{" not in step["run"] + "".join(variables.values())  # nobody's text is a command
        yield step["run"], variables


def filled(text, inputs):
    """GitHub's expressions, as far as the action uses them."""
    return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], str(text))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"parity": "--regime dark"}, marks=pytest.mark.nightly),
        {"export": "ink-mobile-m --size 64", "parity": "--require onnx --regime photo"},
        pytest.param(
            {
                "export": "ink-mobile-m --target litert --size 64",
                "extras": "litert",
                "parity": "--regime dark",
                "devices": "f16",
            },
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_the_action(run, tmp_path, given):
    for commands, variables in steps(given):
        done = run(commands, **variables)
        assert done.returncode == 0, done.stderr
    for output in action()["outputs"].values():
        value = filled(output["value"], {"report": "parity-report"})
        assert (run.folder / value).is_file()
    assert passed(run.folder / "parity-report" / "parity.xml")
    assert (run.folder / "artifacts").exists() == ("export" in given)
    suites = ET.parse(run.folder / "parity-report" / "parity.xml").getroot().iter("testsuite")
    names = [suite.get("name") for suite in suites]
    for device in given.get("devices", "").split():
        assert any(f" on {device}" in name for name in names), names
    assert (tmp_path / "path").read_text() == f"{tmp_path}/sttk/bin\n"
    *_, constraints, project = (tmp_path / "record").read_text().split()
    assert Path(constraints).is_file()
    assert project == f"{ROOT}[{given.get('extras', 'onnx')}]"


def test_the_action_installs_devices_and_requires_them(run, environment, tmp_path):
    (tmp_path / "tools" / "sttk").write_text(RECORDER)
    given = {"parity": "--require onnx", "devices": "arm64 f16"}
    for commands, variables in steps(given):
        done = run(commands, **variables)
        assert done.returncode == 0, done.stderr
    said = (tmp_path / "record").read_text().split("\n")
    asked = said[said.index("devices") :]
    assert asked[:6] == ["devices", "--install", "arm64", "devices", "--install", "f16"]
    parity = asked[asked.index("parity") :]
    assert parity[1:7] == ["--require", "onnx", *("--require-device", "arm64"),
                           *("--require-device", "f16")]  # fmt: skip


def test_the_action_stops_at_a_device_that_cannot_be_installed(run, tmp_path):
    (tmp_path / "tools" / "sttk").write_text('#!/bin/sh\n[ "$3" != arm64 ] || exit 3\n')
    commands, variables = next(step for step in steps({"devices": "arm64 f16"}) if "DEV" in step[0])
    assert run(commands, **variables).returncode == 3


def test_the_hooks_are_hooks_and_the_readme_names_them(environment, tmp_path):
    done = pre_commit(environment, ROOT, "validate-manifest", HOOKS)
    assert done.returncode == 0, done.stdout
    (repository,) = blocks()[2]["repos"]
    known = {hook["id"] for hook in yaml.safe_load(HOOKS.read_text())}
    assert {hook["id"] for hook in repository["hooks"]} == known
    (extra,) = yaml.safe_load(HOOKS.read_text())[1]["additional_dependencies"]
    assert Requirement(f"sttk{extra.removeprefix('.')}").extras <= set(extras())


def pre_commit(environment, folder, *arguments):
    command = [sys.executable, "-m", "pre_commit", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def repository(make, run, environment):
    """One that keeps an artifact, with the README's configuration; sttk is installed already."""
    if shutil.which("git") is None:
        pytest.skip("not run: no git here")
    shutil.copytree(make(size=(64, 96)), run.folder / "artifacts" / "tiny")
    ours = {hook["id"]: hook for hook in yaml.safe_load(HOOKS.read_text())}
    (configured,) = blocks()[2]["repos"]
    hooks = [{**ours[hook["id"]], **hook, "language": "system"} for hook in configured["hooks"]]
    for hook in hooks:
        hook.pop("additional_dependencies", None)
    configuration = {"repos": [{"repo": "local", "hooks": hooks}]}
    (run.folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(configuration))
    assert run("git init -q && git add .").returncode == 0
    return run.folder


def test_the_hooks_want_the_proof_and_write_it(run, environment, repository):
    def outcome():
        text = pre_commit(environment, repository, "run", "--all-files").stdout
        return re.findall(r"^(sttk \w+)\.+(\w+)", text, re.MULTILINE), text

    first, text = outcome()
    assert first == [("sttk parity", "Failed"), ("sttk verify", "Passed")], text
    assert "files were modified by this hook" in text
    assert run("git add .").returncode == 0
    second, text = outcome()
    assert second == [("sttk parity", "Passed"), ("sttk verify", "Passed")], text


def test_the_hook_wants_a_proof(environment, repository):
    done = pre_commit(environment, repository, "run", "sttk-verify", "--all-files")
    assert done.returncode == 1
    assert "not proven" in done.stdout


def test_the_hooks_leave_other_commits_alone(environment, repository):
    (repository / "notes.txt").write_text("hello\n")
    text = pre_commit(environment, repository, "run", "--files", "notes.txt").stdout
    assert text.count("Skipped") == 2
