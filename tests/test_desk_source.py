"""Rules of the browser's source that keep a fault of the toolkit out: what is imported, aliased, never called."""

import json
import re
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[1] / "frontend"
SOURCE = FRONTEND / "src"


def sources(folder: str = "") -> dict[str, str]:
    """Each file that is part of the built pages, tests and their fixtures left out."""
    files = [
        p for p in (SOURCE / folder).rglob("*.ts*") if not re.search(r"\.test\.|_fixture", p.name)
    ]
    return {str(path.relative_to(SOURCE)): path.read_text() for path in files}


def users_of(pattern: str, folder: str = "") -> list[str]:
    return sorted(name for name, text in sources(folder).items() if re.search(pattern, text))


def test_the_rules_look_at_the_whole_source():
    assert {"reading/start.tsx", "viewer/pane.ts", "plots/main.ts"} <= set(sources())


@pytest.mark.trap("T4")
def test_the_xml_writer_is_replaced_by_a_stub_at_an_absolute_place():
    config = (FRONTEND / "vite.config.ts").read_text()
    assert 'alias: { xmlbuilder2: here("./src/stub/xmlbuilder2.ts") }' in config
    assert "fileURLToPath(new URL(path, import.meta.url))" in config
    stub = (SOURCE / "stub" / "xmlbuilder2.ts").read_text()
    assert set(re.findall(r"export const (\w+)", stub)) == {"create", "convert", "fragment"}


@pytest.mark.trap("T5")
def test_no_development_server_can_be_started():
    scripts = json.loads((FRONTEND / "package.json").read_text())["scripts"]
    assert [
        name for name, words in scripts.items() if re.search(r"vite( dev| serve|$)", words)
    ] == []
    assert "server:" not in (FRONTEND / "vite.config.ts").read_text()


@pytest.mark.trap("T6")
def test_nothing_is_imported_as_a_whole_namespace():
    assert users_of(r"import\s+\*\s+as") == []


@pytest.mark.trap("T10")
def test_only_the_adapter_and_its_panes_know_a_slice_by_its_place_in_the_toolkit():
    assert users_of(r"setImageIdIndex|getCurrentImageIdIndex|getSliceIndex") == ["viewer/source.ts"]


@pytest.mark.trap("T19")
def test_the_desk_has_no_brush():
    assert users_of(r"(?i)brush") == []


@pytest.mark.trap("T23")
def test_no_statistics_of_the_toolkit_are_read():
    assert users_of(r"cachedStats|calculateStats|@cornerstonejs/tools") == []


@pytest.mark.trap("T32")
def test_types_are_cast_by_force_in_the_adapter_alone():
    forced = users_of(r"\bas (never|unknown|any)\b|@ts-(ignore|expect-error|nocheck)")
    assert [name for name in forced if not name.startswith("viewer/")] == []


def test_the_toolkit_is_imported_by_the_adapter_alone():
    assert users_of("@cornerstonejs/") != []
    assert [n for n in users_of("@cornerstonejs/") if not n.startswith("viewer/")] == []


def test_the_pure_geometry_knows_neither_page_nor_toolkit():
    assert users_of(r"\b(document|window)\.|cornerstone|preact", "roi") == []


@pytest.mark.promise("X1")
def test_no_text_is_ever_put_into_a_page_as_markup():
    assert (
        users_of(r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write")
        == []
    )


def test_nothing_is_taken_from_the_query_string():
    assert users_of(r"location\.search|URLSearchParams") == []


def test_the_fragment_of_an_address_only_names_a_section_of_the_dashboard():
    assert users_of(r"location\.hash") == ["plots/jump.ts"]
