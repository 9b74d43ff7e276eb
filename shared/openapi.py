"""What both services' OpenAPI documents have in common: every error is a problem document.

https://spec.openapis.org/oas/v3.1.0
"""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from shared.problems import CONTENT_TYPE, Problem

BEARER = "token"
"""The name of the security scheme."""

_REFERENCE = "#/components/schemas/{model}"
_FIRST_ERROR = 400
# What FastAPI supposes, and is not sent here.
_NOT_OURS = ("HTTPValidationError", "ValidationError")


def describe(schema: dict[str, Any], models: Iterable[type[BaseModel]] = ()) -> dict[str, Any]:
    """Complete the document that FastAPI has made, and return it.

    Args:
        schema: The document. Of an error that an operation declares without a content, the problem document is it.
        models: What it refers to, beside the models that FastAPI knows of.
    """
    documented: list[type[Any]] = [Problem, *models]
    adapters: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = [
        (each.__name__, "validation", TypeAdapter(each)) for each in documented
    ]
    _, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in _NOT_OURS:
        components.pop(name, None)
    components.update(definitions["$defs"])
    for operation in _operations(schema):
        responses = operation["responses"]
        responses.pop("422", None)
        for status in _implied(operation):
            responses.setdefault(str(status), {})
        for status, response in responses.items():
            if int(status) >= _FIRST_ERROR and "content" not in response:
                response["description"] = HTTPStatus(int(status)).phrase
                reference = {"$ref": _REFERENCE.format(model=Problem.__name__)}
                response["content"] = {CONTENT_TYPE: {"schema": reference}}
    return schema


def without_token(schema: dict[str, Any], scope: str) -> None:
    """Say that what takes a scope takes no token: it is public here."""
    for operation in _operations(schema):
        if operation.get("security") == [{BEARER: [scope]}]:
            del operation["security"]
            for status in ("401", "403"):
                del operation["responses"][status]


def reference_to(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Return what describes a body that FastAPI does not read itself; the model is one of those to `describe`."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in schema["paths"].values():
        yield from methods.values()


def _implied(operation: dict[str, Any]) -> set[int]:
    implied: set[int] = set()
    if "parameters" in operation:
        # The server itself bounds a URL, before any parameter is looked at.
        implied |= {414, 422}
    if "requestBody" in operation:
        implied |= {400, 413, 415, 422}
    if "security" in operation:
        implied |= {401, 403, 503}
    return implied
