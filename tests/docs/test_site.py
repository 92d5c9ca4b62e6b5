"""The web site of the pages: every link leads somewhere, and it asks for nothing from elsewhere."""

import re
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"(?:https?:)?//")


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(root / "mkdocs.yml"), site_dir=str(folder), strict=True)
    build(config)
    return folder


def test_every_page_is_there_with_its_links(site: Path, root: Path) -> None:
    """The build itself fails for a link or an anchor that leads nowhere."""
    sources = {path.relative_to(root / "docs") for path in root.glob("docs/**/*.md")}
    assert len(sources) > 50
    missing = [
        str(path)
        for path in sources
        if not (site / path.with_suffix(".html")).exists() and path.name != "README.md"
    ]
    assert missing == []
    assert (site / "source" / "deploy" / "pacs-ai.toml.txt").is_file()


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert [page.name for page in pages if LOADED.search(page.read_text("utf-8"))] == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", styles)


def test_a_bar_in_the_code_of_a_table_is_one(site: Path) -> None:
    page = (site / "howto" / "route-from-dcm4chee.html").read_text("utf-8")
    assert "<code>Modality=CR|DX|CT|MR</code>" in page


def test_code_in_a_list_and_lists_in_lists_are_understood(site: Path) -> None:
    deploy = (site / "deploy.html").read_text("utf-8")
    assert "```" not in deploy
    assert re.search(r"<li>(?:(?!</li>).)*<pre>(?:(?!</li>).)*\[tls\]", deploy, re.DOTALL)
