"""`pacs-ai export`: studies, or the run of a training."""

from pathlib import Path

from tests.unit.cli.conftest import Installation


def test_it_says_where_and_what(node: Installation, tmp_path: Path) -> None:
    node.study_with_result()
    missing = node.pacs_ai("export", "1")
    assert (missing.code, "--out" in missing.err) == (2, True)
    nothing = node.pacs_ai("export", "--out", tmp_path / "out")
    assert (nothing.code, "no study is chosen" in nothing.err) == (1, True)
    unknown = node.pacs_ai("export", "77", "--out", tmp_path / "out")
    assert (unknown.code, "no study 77" in unknown.err) == (1, True)
    assert node.pacs_ai("export", "1", "--out", "out", "--retain", "name").code == 2
    inside = node.pacs_ai("export", "1", "--out", "var/spool/out")
    assert (inside.code, "spool" in inside.err) == (2, True)
    (tmp_path / "list").write_text("77 # the first\n\n# none\n")
    listed = node.pacs_ai("export", "--list", "list", "--out", tmp_path / "out")
    assert "no study 77" in listed.err
    assert node.pacs_ai("export", "--list", "none", "--out", tmp_path / "out").code == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_is_a_run(node: Installation) -> None:
    """As before it was a command for studies, too."""
    (node.folder / "run").mkdir()
    for run in ("run", "runs/none"):
        answer = node.pacs_ai("export", run)
        assert answer.code != 0
        assert "no study" not in answer.err
        assert "--out" not in answer.err
