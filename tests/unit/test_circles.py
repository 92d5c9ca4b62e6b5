"""No module needs, at once or in a function, a module that needs it.

The import contract "no circles" compares siblings; this covers a package and its own modules too.
"""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


def circle(graph: grimp.ImportGraph) -> list[str]:
    """The modules of one circle, the first named twice; empty if there is none."""
    imports = {
        module: graph.find_modules_directly_imported_by(module) for module in sorted(graph.modules)
    }
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_one_another() -> None:
    graph = grimp.build_graph("pacs_ai", "training", cache_dir=None)
    assert len(graph.modules) > 400
    assert circle(graph) == []


@pytest.mark.parametrize(
    "imports",
    [
        [("a", "b"), ("b", "a")],
        [("a", "b"), ("b", "c"), ("c", "a")],
        [("a", "a.b"), ("a.b", "a")],
    ],
)
def test_a_circle_would_be_found(imports: Iterable[tuple[str, str]]) -> None:
    graph = grimp.ImportGraph()
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported)
    assert len(circle(graph)) > len(list(imports))
