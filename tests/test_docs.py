"""What exists is documented: commands, environment variables, dependencies, pages of the guide."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def all_docs() -> str:
    return "\n".join(p.read_text() for p in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))])


def commands() -> list[str]:
    folder = ROOT / "portal" / "management" / "commands"
    return sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("name", commands())
def test_every_command_is_described_in_operations(name):
    assert f"`{name}`" in (DOCS / "operations.md").read_text()


def test_every_environment_variable_is_described_in_operations():
    text = (ROOT / "portal" / "settings.py").read_text()
    names = set(re.findall(r'(?:env|flag)\("([A-Z_]+)"', text))
    operations = (DOCS / "operations.md").read_text()
    assert {name for name in names if f"OSTEON_{name}" not in operations} == set()


@pytest.mark.parametrize("target", ["setup", "demo", "test", "lint", "validate", "up"])
def test_every_make_target_is_described(target):
    assert f"make {target}" in all_docs()


@pytest.mark.parametrize(
    "page",
    [
        "tour",
        "coordinators",
        "readers",
        "operations",
        "promises",
        "traps",
        "dicomweb",
        "ibsi",
        "features",
        "cohort",
        "statistics",
        "decisions",
    ],
)
def test_every_guide_exists_and_is_linked_from_the_readme(page):
    assert (DOCS / f"{page}.md").exists()
    assert f"docs/{page}.md" in (ROOT / "README.md").read_text()


def test_links_between_documents_lead_somewhere():
    pages = [ROOT / "README.md", *DOCS.glob("*.md")]
    dead = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_every_base_package_has_a_reason():
    decisions = (DOCS / "decisions.md").read_text().lower()
    wanted = re.findall(
        r"^([A-Za-z0-9-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    direct = [name for name in wanted if name.lower() in decisions]
    assert {"django", "numpy", "pydicom", "celery"} <= {name.lower() for name in direct}


def test_a_synthetic_study_is_called_synthetic_on_the_first_screen():
    first_screen = (ROOT / "README.md").read_text()[:3000]
    assert "Synthetic data" in first_screen or "synthetic" in first_screen


def test_each_promise_says_truly_whether_tests_hold_it():
    """`tests` stands in the last column exactly where a test carries the promise's number."""
    rows = re.findall(
        r"^\| ([A-Z]\d+) \| .+ \| (tests|not yet) \|$",
        (DOCS / "promises.md").read_text(),
        re.MULTILINE,
    )
    held = {name for name, how in rows if how == "tests"}
    marked = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r'promise\("([A-Z]\d+)"\)', path.read_text())
    }
    assert len(rows) == len(dict(rows)) == 55
    assert held == marked


NUMBER = r"[TDKV]\d+"


def titles_in_typescript() -> set[str]:
    """Numbers before the colon of a title (`T3, V15: …`) or in brackets at its end."""
    text = "\n".join(p.read_text() for p in (ROOT / "frontend" / "src").rglob("*.test.ts"))
    before = re.findall(rf'["`]({NUMBER}(?:, {NUMBER})*): ', text)
    return set(re.findall(NUMBER, " ".join(before))) | set(re.findall(rf'\(({NUMBER})\)"', text))


def test_each_trap_and_scenario_says_truly_whether_tests_hold_it():
    """`tests` stands in the last column exactly where a test of either language carries the number."""
    rows = re.findall(
        rf"^\| ({NUMBER}) \| .+ \| (tests|bench|not yet) \|$",
        (DOCS / "traps.md").read_text(),
        re.MULTILINE,
    )
    held = {name for name, how in rows if how == "tests"}
    marked = titles_in_typescript() | {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(rf'trap\("({NUMBER})"\)', path.read_text())
    }
    assert len(rows) == len(dict(rows)) == 32 + 6 + 4 + 19
    assert held == marked
