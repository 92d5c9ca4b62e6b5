"""Hooks of mkdocs: files outside of docs/ that pages link to become part of the site."""

import posixpath
import re
from pathlib import Path
from typing import Any

from markdown import Extension, Markdown
from markdown.blockprocessors import build_block_parser
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
SOURCES = "source"
"""Folder of the site with these files."""

_LINK = re.compile(r"\]\((?P<target>(?:\.\./)+[^)#\s]+)(?P<anchor>#[^)]*)?\)")


class _AsOnGitHub(Extension):
    """Lists inside of lists are indented by two spaces or more."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.tab_length = 2
        md.parser = build_block_parser(md)  # its parts keep the length that was there


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Read Markdown as GitHub does."""
    config.markdown_extensions.insert(0, _AsOnGitHub())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that pages link to, each as text that a browser shows."""
    wanted = {
        path
        for file in files.documentation_pages()
        for match in _LINK.finditer(file.content_string)
        if (path := _outside(file.src_uri, match["target"])) and (ROOT / path).is_file()
    }
    for path in sorted(wanted):
        files.append(File.generated(config, f"{SOURCES}/{path}.txt", abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401 - a page of mkdocs
    """Let links to such files lead to them; links to folders become plain text."""

    def replaced(match: re.Match[str]) -> str:
        path = _outside(page.file.src_uri, match["target"])
        if path is None:
            return match[0]
        if not (ROOT / path).exists():
            raise ValueError(f"{page.file.src_uri}: there is no {path}")
        target = f"{SOURCES}/{path}.txt" if (ROOT / path).is_file() else f"{SOURCES}/"
        return f"]({posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or '.')})"

    text = _LINK.sub(replaced, markdown)
    return re.sub(rf"\[([^\]]+)\]\((?:\.\./)*{SOURCES}\)", r"\1", text)


def on_page_content(html: str, **_: object) -> str:
    """Show an escaped bar in the code of a table as GitHub does: without the backslash."""
    return re.sub(r"<code>[^<]*</code>", lambda found: found[0].replace(r"\|", "|"), html)


def _outside(page: str, target: str) -> str | None:
    """Return the path from the root of a link that leaves docs/; None for one that does not."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    return None if path.startswith("docs/") else path
