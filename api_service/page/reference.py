"""The API's calls for people, out of its OpenAPI document: plain HTML, with no script of anybody."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/style.css">
<main class="reference">
<h1>{title}</h1>
<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>
{calls}
</main>
</html>
"""


def reference(document: Mapping[str, Any]) -> str:
    """Return the page."""
    calls = [
        _call(f"{method.upper()} {path}", operation, document)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return _PAGE.format(title=escape(document["info"]["title"]), calls="\n".join(calls))


def _call(name: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    lines = "\n".join(_lines(operation, document))
    return f'<section class="panel">\n<h2><code>{escape(name)}</code></h2>\n{lines}\n</section>'


def _lines(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    if scopes := [scope for way in operation.get("security", ()) for scopes in way.values() for scope in scopes]:
        yield f"<p>Takes a token with the scope <code>{escape(', '.join(scopes))}</code>.</p>"
    if parameters := operation.get("parameters"):
        yield f"<dl>{''.join(map(_parameter, parameters))}</dl>"
    for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body: <code>{escape(media_type)}</code></p>"
        for example in _resolved(body["schema"], document).get("examples", ()):
            yield f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>"
    yield f"<p>Answers: {', '.join(sorted(operation['responses']))}</p>"


def _parameter(parameter: Mapping[str, Any]) -> str:
    name, place = escape(parameter["name"]), escape(parameter["in"])
    return f"<dt><code>{name}</code> ({place})</dt><dd>{escape(parameter.get('description', ''))}</dd>"


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found
