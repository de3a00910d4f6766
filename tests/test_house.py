"""The house rules that a machine can check: floors, types, docstrings, silence, and the same bytes twice."""

import ast
import doctest
import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import umapinfo

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "umapinfo").rglob("*.py"))
# ledger.py gathers what the others wrote; files with an underscore are no scripts.
ANALYSES = sorted(path for path in (ROOT / "analyses").glob("*.py") if path.name[0] != "_" and path.stem != "ledger")
SMALL = ["--data", "ring", "--n", "200", "--epochs", "50"]
MODULES = [umapinfo.__name__] + [
    found.name for found in pkgutil.walk_packages(umapinfo.__path__, f"{umapinfo.__name__}.")
]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def lint_imports(folder):
    """Run import-linter on the package in a folder, with the contracts of its pyproject.toml."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)


def test_floors__are_kept():
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("core/graph.py", "import xarray"),
        ("core/graph.py", "import umapinfo.progress"),
        ("core/graph.py", "import umapinfo.pairs"),
        ("pairs/potentials.py", "import umapinfo.trace"),
        ("measures/degree.py", "from matplotlib import pyplot"),
        ("unheard_of.py", "import numpy"),
    ],
)
def test_floors__catch_an_import_that_they_forbid(tmp_path, path, line):
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "umapinfo", tmp_path / "umapinfo", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "umapinfo" / path).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def public(module):
    """(name, thing) for each function, kernel and class that a module itself defines under a public name."""
    for name, thing in vars(module).items():
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__:
            if hasattr(thing, "py_func"):  # a compiled kernel
                yield name, thing.py_func
            elif inspect.isfunction(thing) or inspect.isclass(thing):
                yield name, thing


def with_methods(name, thing):
    """(name, function or class) for the thing itself and, of a class, its public methods and properties."""
    yield name, thing
    if inspect.isclass(thing):
        for method, value in vars(thing).items():
            value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if not method.startswith("_") and inspect.isfunction(value):
                yield f"{name}.{method}", value


def faults(thing):
    """What a function or class lacks: a docstring of its own, or the types of parameters and result."""
    doc = thing.__doc__
    if inspect.isclass(thing) and doc and doc.startswith(f"{thing.__name__}("):
        doc = None  # a dataclass wrote it
    if not doc:
        yield "has no docstring"
    if inspect.isfunction(thing):
        signature = inspect.signature(thing)
        parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        untyped = [p.name for p in parameters if p.annotation is inspect.Parameter.empty]
        if untyped:
            yield f"has no type for {', '.join(untyped)}"
        if signature.return_annotation is inspect.Signature.empty:
            yield "has no type for its result"


@pytest.mark.parametrize("name", MODULES)
def test_public_names__are_typed_and_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    missing = [
        f"{name}.{part} {fault}"
        for public_name, thing in public(module)
        for part, value in with_methods(public_name, thing)
        for fault in faults(value)
    ]
    assert not missing, "\n".join(missing)


def test_names_at_the_top__exist_and_are_documented():
    names = getattr(umapinfo, "__all__", [])
    assert len(names) == len(set(names))
    assert all(getattr(umapinfo, name).__doc__ for name in names)


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_library__neither_prints_nor_imports_by_wildcard(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"{name_of(path)}:{node.lineno} prints"
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), f"{name_of(path)}:{node.lineno} imports *"


@pytest.mark.parametrize("path", LIBRARY + ANALYSES, ids=name_of)
def test_files__have_at_most_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_readme__has_examples_that_run(tmp_path, monkeypatch):
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md")
    blocks = re.findall(r"^```python\n(.*?)^```", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    namespace = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, str(readme), "exec"), namespace)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=name_of)
def test_docs__have_examples_that_print_what_they_say(page):
    failed, attempted = doctest.testfile(str(page), module_relative=False)
    assert failed == 0
    assert attempted > 0


@pytest.mark.usefixtures("committed_numbers")
def test_ledger__is_backed_by_numbers_scripts_and_tests_and_stands_in_the_readme(tmp_path):
    command = [sys.executable, "analyses/ledger.py", "--short", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ledger.md").read_bytes() == (ROOT / "paper" / "ledger.md").read_bytes()
    short = done.stdout[: done.stdout.rindex("ledger:")].strip()
    assert short in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("path", ANALYSES, ids=name_of)
def test_analyses__write_the_same_bytes_twice(path, tmp_path):
    written = []
    for hash_seed in ("1", "2"):  # another order of every set of strings
        out = tmp_path / hash_seed
        is_study = "from _study import" in path.read_text(encoding="utf-8")
        small = ["--quick"] if is_study else SMALL
        settings = [*small, "--out", str(out), "--traces", str(out / "traces")]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "MPLBACKEND": "agg"}
        done = subprocess.run(
            [sys.executable, str(path), *settings], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        files = [file for kind in ("figures", "numbers") for file in (out / kind).iterdir()]
        written.append({file.name: file.read_bytes() for file in files})
    stem = path.stem if is_study else f"{path.stem}_ring"
    assert set(written[0]) == {f"{stem}.{ending}" for ending in ("pdf", "png", "json")}
    assert written[0] == written[1]


@pytest.mark.usefixtures("committed_numbers")
def test_readme__quotes_the_numbers_of_the_figures():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    numbers = {path.stem: json.loads(path.read_text()) for path in (ROOT / "paper" / "numbers").glob("*.json")}
    quoted = []
    for name in ("ring", "digits"):
        degrees, losses, shares = (numbers[stem][name] for stem in ("degree", "kl_bce", "binarisation"))
        quoted += [f"{degrees['degree_mean']:.3f}", f"{degrees['degree_over_log2_k']:.2f}", f"{losses['entropy']:.0f}"]
        quoted += [f"{losses['bce_end'] / losses['bce_least'] - 1:.0%}".replace("%", " %")]
        quoted += [f"{shares['rows']['entropy_ratio']:.0%}".replace("%", " %")]
        quoted += [
            f"{shares[v]['near_zero_05'] + shares[v]['near_one_05']:.0%}".replace("%", " %")
            for v in ("target", "target_head_only", "q")
        ]
        assert losses["identity_residual_largest"] < 1e-14
    degrees, losses, shares = (numbers[f"{stem}_mnist"]["mnist"] for stem in ("degree", "kl_bce", "binarisation"))
    quoted += [f"{degrees['degree_over_log2_k']:.2f}", f"{losses['bce_end']:.2e}", f"{losses['constant_q']:.2e}"]
    quoted += [f"{losses['bce_end'] / losses['bce_least'] - 1:.0%}".replace("%", " %")]
    quoted += [f"{shares['rows']['entropy_ratio']:.0%}".replace("%", " %")]
    quoted += [
        f"{shares[v]['near_zero_05'] + shares[v]['near_one_05']:.0%}".replace("%", " %") for v in ("target", "q")
    ]
    table = numbers["toy_ring"]["mean"]
    quoted += [f"{table['purported, embedding']:,.0f}", f"{table['effective, embedding']:,.1f}"]
    missing = [number for number in quoted if number not in readme]
    assert not missing, f"README.md does not quote {missing}"


def test_readme__has_the_seconds_of_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    fit, results = importlib.import_module("fit"), ROOT / "benchmarks" / "results"
    expected = fit.descent_rows(json.loads((results / "descent_mnist.json").read_text()))
    for name in fit.DATA:
        expected += fit.rows(name, json.loads((results / f"fit_{name}.json").read_text())["sides"])
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(expected) > 4
    assert [row for row in expected if row not in readme] == []
