"""The OpenAPI document (version 3.1), made from the table of operations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import pacs_ai
from pacs_ai.web import problems
from pacs_ai.web.api.operation import ARCHIVE, PREFIX, Operation

_REFERENCE = "#/components/schemas/{model}"
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Explained in docs/operations.md"},
    },
    "required": ["type", "title", "status", "detail", "code"],
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Make the document of some operations."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _described(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "pacs-ai", "version": pacs_ai.__version__},
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _described(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    taken = one.takes.model_json_schema(ref_template=_REFERENCE)
    schemas.update(taken.pop("$defs", {}))
    answer: dict[str, Any] = {ARCHIVE: {"schema": {"type": "string", "format": "binary"}}}
    if one.gives is not Path:
        answer = {"application/json": {"schema": _given(one.gives, schemas)}}
    problem = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described: dict[str, Any] = {
        "operationId": f"{one.method.lower()}{one.path.replace('/', '_')}".translate(_NO_BRACES),
        "summary": (one.call.__doc__ or "").strip(),
        "description": f"Role: {one.role}.",
        "parameters": [_parameter(name, taken, "path") for name in one.in_path],
        "responses": {
            "200": {"description": "Done", "content": answer},
            "default": {"description": "Not done", "content": problem},
        },
    }
    others = [name for name in taken.get("properties", {}) if name not in one.in_path]
    if one.method == "GET":
        described["parameters"] += [_parameter(name, taken, "query") for name in others]
    elif others:
        described["requestBody"] = _body(taken, others)
    return described


_NO_BRACES = str.maketrans("", "", "{}")


def _parameter(name: str, taken: dict[str, Any], place: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": name in taken.get("required", []),
        "schema": taken["properties"][name],
    }


def _body(taken: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    required = [name for name in taken.get("required", []) if name in names]
    schema = {
        "type": "object",
        "properties": {name: taken["properties"][name] for name in names},
        "required": required,
        "additionalProperties": False,
    }
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _given(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - a type
    schema = TypeAdapter(kind).json_schema(mode="serialization", ref_template=_REFERENCE)
    for name, one in schema.pop("$defs", {}).items():
        schemas[name] = _as_written(one)
    return _as_written(schema)


def _as_written(schema: dict[str, Any]) -> dict[str, Any]:
    """Name the fields as `pacs_ai.store.records.to_dict` does: ``from_`` is written ``from``."""
    if "properties" not in schema:
        return schema
    named = {name.rstrip("_"): one for name, one in schema["properties"].items()}
    required = [name.rstrip("_") for name in schema.get("required", [])]
    return {**schema, "properties": named, "required": required}
