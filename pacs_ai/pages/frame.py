"""The frame of a page that needs no other file."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

_STYLE = Path(__file__).with_name("style.css")


def page(title: str, lead: str, sections: Iterable[str]) -> str:
    """Put HTML sections together to a page.

    Parameters
    ----------
    title
        Plain text.
    lead
        HTML below the title.
    sections
        HTML; "" is left out.
    """
    body = "\n".join(section for section in sections if section)
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head>\n<body><main>"
        f"<header><h1>{escape(title)}</h1>{lead}</header>\n{body}\n</main></body></html>\n"
    )
