"""How a page finds the front-end build: hashed names through the manifest, and one sentence where nothing is built."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.template import Context, Template

from portal.templatetags import assets

CHUNKS: dict[str, Any] = {
    "src/reading/main.ts": {
        "file": "assets/main-abc.js", "css": ["assets/main-1.css"], "imports": ["_shared.js", "_leaf.js"],
    },
    "_shared.js": {"file": "assets/shared-def.js", "css": ["assets/shared-2.css"], "imports": ["_leaf.js"]},
    "_leaf.js": {"file": "assets/leaf-012.js", "css": ["assets/leaf-3.css"], "imports": ["_shared.js"]},
    "src/plots/main.ts": {"file": "assets/plots-345.js"},
}  # fmt: skip


@pytest.fixture
def folder(settings, tmp_path) -> Path:
    settings.BASE_DIR = tmp_path
    build = tmp_path / assets.BUILD
    (build / ".vite").mkdir(parents=True)
    return build


@pytest.fixture
def built(folder) -> Path:
    (folder / ".vite" / "manifest.json").write_text(json.dumps(CHUNKS))
    return folder


def shown(tag: str) -> str:
    return Template("{% load assets %}{% " + tag + " %}").render(Context())


def test_an_entry_is_its_hashed_script_after_the_styles_of_all_that_it_imports(built):
    assert shown('vite_entry "src/reading/main.ts"') == (
        '<link rel="stylesheet" href="/static/build/assets/main-1.css">'
        '<link rel="stylesheet" href="/static/build/assets/shared-2.css">'
        '<link rel="stylesheet" href="/static/build/assets/leaf-3.css">'
        '<script type="module" src="/static/build/assets/main-abc.js"></script>'
    )


def test_an_entry_without_styles_is_its_script_alone(built):
    assert shown('vite_entry "src/plots/main.ts"') == (
        '<script type="module" src="/static/build/assets/plots-345.js"></script>'
    )


@pytest.mark.parametrize("name", ["src/reading/main.ts", "src/plots/main.ts"])
def test_without_a_build_a_sentence_names_the_command(folder, name):
    text = shown(f'vite_entry "{name}"')
    assert "run “make setup”" in text
    assert 'role="alert"' in text
    assert "<script" not in text


def test_an_entry_that_the_build_does_not_know_is_the_same_sentence(built):
    assert assets.MISSING in shown('vite_entry "src/other/main.ts"')


@pytest.mark.parametrize("is_built", [True, False])
def test_an_entry_that_may_be_missing_is_nothing(folder, is_built):
    if is_built:
        (folder / ".vite" / "manifest.json").write_text(json.dumps(CHUNKS))
    assert shown('vite_entry "src/other/main.ts" optional=True') == ""


def test_a_new_build_is_seen_without_a_restart(built):
    before = shown('vite_entry "src/plots/main.ts"')
    path = built / ".vite" / "manifest.json"
    path.write_text(path.read_text().replace("plots-345", "plots-678"))
    os.utime(path, ns=(10**18, 10**18))
    assert shown('vite_entry "src/plots/main.ts"') == before.replace("345", "678")


def test_a_name_cannot_break_out_of_its_attribute(folder):
    odd = {"e": {"file": 'a"><script>alert(1)</script>', "css": ['b" onload="x']}}
    (folder / ".vite" / "manifest.json").write_text(json.dumps(odd))
    text = shown('vite_entry "e"')
    assert "<script>alert" not in text
    assert ' onload="' not in text


def test_a_file_with_a_fixed_name_has_its_address_once_it_is_there(folder):
    assert shown('built "htmx.min.js"') == ""
    (folder / "htmx.min.js").write_text("")
    assert shown('built "htmx.min.js"') == "/static/build/htmx.min.js"
