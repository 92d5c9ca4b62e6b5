"""The files of a node in its spool."""

from pacs_ai.store.spool import Spool


def instance_paths(spool: Spool) -> set[str]:
    """All instance files, relative to the spool's root."""
    return _paths(spool, "instances")


def variant_paths(spool: Spool) -> set[str]:
    """All variants that were set aside."""
    return _paths(spool, "variants")


def result_paths(spool: Spool) -> set[str]:
    """All result files."""
    return _paths(spool, "results")


def _paths(spool: Spool, folder: str) -> set[str]:
    found = (spool.home / folder).rglob("*")
    return {path.relative_to(spool.root).as_posix() for path in found if path.is_file()}
