"""The house: imports go down only, files and functions stay small, nothing forbidden is used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("radiomics", "portal", "readers")
MAX_FILE, MAX_FUNCTION, MEDIAN_FUNCTION = 400, 40, 8
FORBIDDEN_NAMES = {"services.py", "utils.py", "helpers.py", "base.py", "common.py"}
FORBIDDEN_MODULES = {"pickle", "joblib", "marshal", "shelve", "dill"}
FORBIDDEN_CALLS = {"eval", "exec", "mark_safe", "__import__"}
TOP_LEVEL = {
    "manage.py", "portal", "radiomics", "readers", "frontend", "tests", "docker-compose.yml",
    "requirements.txt", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "docs", "bench",
    "deploy", ".ci", "requirements-dev.txt", "requirements-server.txt", ".gitignore",
}  # fmt: skip


def tracked(*patterns: str) -> list[Path]:
    """Files in version control, or all files where there is none."""
    found = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / line for line in found.stdout.splitlines() if (ROOT / line).exists()]


def modules() -> list[Path]:
    return sorted(
        p for top in CODE for p in (ROOT / top).rglob("*.py") if "migrations" not in p.parts
    )


def functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Each function of a file with its lines, the docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = node.body[0] if ast.get_docstring(node) else None
            said = (doc.end_lineno or 0) - doc.lineno + 1 if doc else 0
            yield node, (node.end_lineno or 0) - node.lineno + 1 - said


def test_import_contracts_hold():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_radiomics_is_imported_without_django():
    program = (
        "import sys, radiomics.features, radiomics.model, radiomics.stats.roc, radiomics.phantom;"
        "bad = {'django', 'celery', 'pydicom', 'rest_framework'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_top_level_is_the_agreed_one():
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert names <= TOP_LEVEL


@pytest.mark.parametrize("suffix", ["*.py", "*.ts", "*.tsx"])
def test_files_stay_within_400_lines(suffix):
    long = [
        f"{path.relative_to(ROOT)} ({lines})"
        for path in tracked(suffix)
        if not {"tests", "migrations", "generated"} & set(path.parts) and ".test." not in path.name
        and (lines := path.read_text().count("\n")) > MAX_FILE
    ]  # fmt: skip
    assert long == []


def test_functions_stay_within_40_lines_and_are_short_in_the_median():
    sizes = [
        (size, f"{p.relative_to(ROOT)}:{f.name}") for p in modules() for f, size in functions(p)
    ]
    assert [name for size, name in sizes if size > MAX_FUNCTION] == []
    assert median(size for size, _ in sizes) <= MEDIAN_FUNCTION


def test_no_file_has_a_name_that_says_nothing():
    assert [str(p.relative_to(ROOT)) for p in modules() if p.name in FORBIDDEN_NAMES] == []


def test_nothing_is_imported_inside_a_function():
    late = [
        f"{path.relative_to(ROOT)}:{inner.lineno}"
        for path in modules()
        for function, _ in functions(path)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert late == []


@pytest.mark.promise("X3")
def test_no_object_is_unpickled_and_no_text_is_run():
    found = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found += [(path, a.name) for a in node.names if a.name in FORBIDDEN_MODULES]
            if (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").split(".")[0] in FORBIDDEN_MODULES
            ):
                found.append((path, node.module or ""))
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in FORBIDDEN_CALLS
            ):
                found.append((path, node.func.id))
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                found += [(path, "allow_pickle")] * (getattr(node.value, "value", None) is True)
    assert found == []


def test_there_are_no_study_signals():
    hooks = ("portal/fence/apps.py", "portal/jobs/tasks.py", "portal/truth/apps.py")
    allowed = {ROOT / name for name in hooks}  # migrations and worker start, no study event
    users = [p for p in modules() if ".connect(" in p.read_text() and "signal" in p.read_text()]
    assert set(users) <= allowed


def test_public_functions_of_radiomics_are_documented():
    silent = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in modules()
        if "radiomics" in path.relative_to(ROOT).parts[0]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_nothing_names_this_machine_or_a_registry():
    hints = ("/work" + "/", "registry.npmjs" + ".org", "pypi" + ".org/simple", "/root" + "/")
    found = [
        f"{path.relative_to(ROOT)}: {hint}"
        for path in tracked()
        if path.suffix
        in {".py", ".ts", ".tsx", ".md", ".json", ".txt", ".toml", ".yml", ".html", ".sh", ""}
        for hint in hints
        if hint in path.read_text(errors="ignore")
    ]
    assert found == []


def test_there_is_more_test_than_code():
    """The house asks for 1.2 lines of test per line of code, migrations not counted."""
    code = sum(p.read_text().count("\n") for p in modules())
    tests = sum(p.read_text().count("\n") for p in (ROOT / "tests").rglob("*.py"))
    assert tests >= 1.2 * code
