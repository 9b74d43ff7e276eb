"""The documents, as a Markdown parser reads them: their blocks of code, their links, and what stands in backticks."""

import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.processes import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    ROOT / "shared/browser/client/README.md",
]
_MARKDOWN = MarkdownIt("commonmark").enable("table")


class Block(NamedTuple):
    """A block of code: `language` and `file`, which it is to be saved as, are the words after its fence."""

    page: Path
    line: int
    language: str
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.page_name}:{self.line}"

    @property
    def page_name(self) -> str:
        """Its page, from the repository's root."""
        return name_of(self.page)


def name_of(page: Path) -> str:
    """Return a page's path from the repository's root."""
    return os.path.relpath(page, ROOT)


def blocks(page: Path) -> list[Block]:
    """Return a page's blocks of code, in order; an indented one has no language."""
    found = []
    for token in _MARKDOWN.parse(page.read_text()):
        if token.type in {"fence", "code_block"}:
            assert token.map is not None
            language, _, file = token.info.partition(" ")
            found.append(Block(page, token.map[0] + 1, language, file, token.content))
    return found


def links(page: Path) -> list[str]:
    """Return where a page's links and pictures lead to, those of its HTML as well."""
    html = _Links()
    for token in _tokens(page):
        if token.type in {"html_block", "html_inline"}:
            html.feed(token.content)
        html.targets += [str(token.attrs[name]) for name in ("href", "src") if name in token.attrs]
    return html.targets


def anchors(page: Path) -> Iterator[str]:
    """Return where links into a page may lead: its headings, as GitHub and others make anchors of them."""
    tokens = _MARKDOWN.parse(page.read_text())
    for opened, heading in pairwise(tokens):
        if opened.type == "heading_open":
            yield re.sub(r"[^\w\- ]", "", heading.content.lower()).replace(" ", "-")


def in_backticks(page: Path) -> list[str]:
    """Return what stands in backticks within a page's text."""
    return [token.content for token in _tokens(page) if token.type == "code_inline"]


def _tokens(page: Path) -> Iterator[Token]:
    for token in _MARKDOWN.parse(page.read_text()):
        yield token
        yield from token.children or ()


class _Links(HTMLParser):
    """What HTML within Markdown links to."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - of the base
        self.targets += [value for name, value in attrs if name in {"href", "src", "srcset"} and value]
