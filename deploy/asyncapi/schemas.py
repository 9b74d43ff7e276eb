"""The schemas of the document, made from the types that the services use."""

import json
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

Schema = dict[str, Any]

_Mode = Literal["serialization", "validation"]

_REFERENCE = "#/components/schemas/{model}"


class _Plain(GenerateJsonSchema):
    """JSON Schema without what says nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # none has one: its name says it
        """Leave the titles of fields out."""
        return False


def arguments(*schemas: Schema) -> Schema:
    """Return the schema of a list of so many arguments, as draft 7 of JSON Schema writes it."""
    count = len(schemas)
    return {"type": "array", "items": list(schemas), "additionalItems": False, "minItems": count, "maxItems": count}


class Schemas:
    """All schemas that have a name, `named`, and references to them."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}

    def sent(self, type_: Any) -> Schema:
        """Return the schema of what the emitter sends."""
        return self._of(type_, "serialization")

    def taken(self, type_: Any) -> Schema:
        """Return the schema of what clients send."""
        return self._of(type_, "validation")

    def inlined(self, type_: type[Any]) -> Schema:
        """Return the schema of an object that is sent, itself."""
        _, definitions = _made(type_, "serialization")
        inlined = definitions.pop(type_.__name__)
        self._keep(definitions)
        return inlined

    def name(self, name: str, schema: Schema) -> Schema:
        """Give a schema a name, and return a reference to it."""
        self._keep({name: schema})
        return {"$ref": _REFERENCE.format(model=name)}

    def _of(self, type_: Any, mode: _Mode) -> Schema:
        schema, definitions = _made(type_, mode)
        self._keep(definitions)
        return schema

    def _keep(self, definitions: dict[str, Schema]) -> None:
        for name, schema in definitions.items():
            if self.named.setdefault(name, schema) != schema:
                raise ValueError(f"two schemas have the name {name}")


def _made(type_: Any, mode: _Mode) -> tuple[Schema, dict[str, Schema]]:
    """Return the schema of a type, and those that it refers to by their names."""
    adapters = [(None, mode, TypeAdapter[Any](type_))]
    made, rest = TypeAdapter.json_schemas(adapters, schema_generator=_Plain, ref_template=_REFERENCE)
    definitions = rest.get("$defs", {})
    # pydantic names also what is only made from what is sent.
    text = json.dumps([made[None, mode], definitions])
    named = {name: each for name, each in definitions.items() if f'"{_REFERENCE.format(model=name)}"' in text}
    return made[None, mode], named
