"""`manage.py api_types`: the desk's TypeScript types, written from the OpenAPI schema of the reading room."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from drf_spectacular.generators import SchemaGenerator

Schema = Mapping[str, Any]
PREFIX = "/api/v1/reading/"
REF = "#/components/schemas/"
TARGET = Path("frontend/src/api/generated.ts")
HEAD = "// Written by `npm run types` from the OpenAPI schema; change readers/shapes.py instead.\n"


def references(value: Any) -> Iterator[str]:
    """Names of the components that a piece of the schema points at."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "$ref":
                yield inner.removeprefix(REF)
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def reachable(document: Schema) -> dict[str, Schema]:
    """The components that the reading room's addresses use, in the order of their names."""
    components: dict[str, Schema] = document["components"]["schemas"]
    waiting = [n for path, item in document["paths"].items() if path.startswith(PREFIX) for n in references(item)]  # fmt: skip
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references(components[name])
    return {name: components[name] for name in sorted(found)}


def is_declared(schema: Schema) -> bool:
    """Objects and unions of objects have a name of their own; enumerations do not."""
    return "properties" in schema or "oneOf" in schema


class Writer:
    """Turns component schemas into TypeScript; enumerations are written where they are used."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self.components = components

    def text(self) -> str:
        shapes = [self.declared(n, s) for n, s in self.components.items() if is_declared(s)]
        return HEAD + "\n" + "\n".join(shapes)

    def declared(self, name: str, schema: Schema) -> str:
        if "properties" in schema:
            return self.interface(name, schema)
        return f"export type {name} = {self.plain(schema)};\n"

    def interface(self, name: str, schema: Schema) -> str:
        required = set(schema.get("required", []))
        lines = [
            f"  {field}{'' if field in required else '?'}: {self.kind(inner)};"
            for field, inner in schema["properties"].items()
        ]
        return "\n".join([f"export interface {name} {{", *lines, "}", ""])

    def kind(self, schema: Schema) -> str:
        plain = self.plain(schema)
        is_null = schema.get("nullable") and "null" not in plain.split(" | ")
        return f"{plain} | null" if is_null else plain

    def plain(self, schema: Schema) -> str:
        if "$ref" in schema:
            return self.named(schema["$ref"].removeprefix(REF))
        several = schema.get("allOf") or schema.get("oneOf")
        if several:
            return " | ".join(self.kind(one) for one in several)
        if "enum" in schema:
            return " | ".join(json.dumps(value) for value in schema["enum"])
        return self.typed(schema)

    def named(self, name: str) -> str:
        schema = self.components[name]
        return name if is_declared(schema) else self.plain(schema)

    def typed(self, schema: Schema) -> str:
        kind = schema.get("type")
        if kind == "array":
            return self.array(schema)
        if kind == "object":
            return f"Record<string, {self.kind(schema.get('additionalProperties') or {})}>"
        if kind == "integer" and "minimum" in schema and schema["minimum"] == schema.get("maximum"):
            return str(schema["minimum"])
        names = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean"}
        return names.get(str(kind), "unknown")

    def array(self, schema: Schema) -> str:
        item = self.kind(schema["items"])
        if "minItems" in schema and schema["minItems"] == schema.get("maxItems"):
            return f"[{', '.join([item] * schema['minItems'])}]"
        return f"({item})[]" if " | " in item else f"{item}[]"


def types() -> str:
    """The text of the generated file as the code stands."""
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return Writer(reachable(document)).text()


class Command(BaseCommand):
    help = "Write the desk's TypeScript types from the OpenAPI schema."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="only say whether they are current"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        target, text = settings.BASE_DIR / TARGET, types()
        if not options["check"]:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            raise CommandError(f"{TARGET} is not current; run `npm run types` in frontend/.")
