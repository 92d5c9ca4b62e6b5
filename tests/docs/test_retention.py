"""One table says for how long everything is kept: every key, with its default."""

from pathlib import Path

from pacs_ai.config.retention import OLDER_KEYS, Retention


def test_the_table_has_every_key_with_its_default(root: Path) -> None:
    page = (root / "docs" / "operations.md").read_text("utf-8")
    table = page.partition("### How long everything is kept")[2].partition("\n\nAll these")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    for key, field in Retention.model_fields.items():
        shown = f"`retention.{key}` ({field.default:g}) |"
        assert [row for row in rows if row.endswith(shown)], shown
    for section, key in OLDER_KEYS:
        assert f"`{section}.{key}`" in page
