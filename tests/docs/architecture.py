"""The drawings and the table of rooms in docs/architecture.md, made from the imports in the code.

``python -m tests.docs.architecture`` writes them again.
"""

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
MARK = re.compile(r"<!-- made: (?P<name>[\w ]+) -->\n.*?<!-- end -->\n", re.DOTALL)
GROUND = "ground"
NODE = "node"
PACKAGES = ("pacs_ai", "training")

_WIDTH = 24  # characters of a line in a box
_LAYOUT = (
    "%%{init: {'flowchart': {'nodeSpacing': 28, 'rankSpacing': 44, 'wrappingWidth': 300}}}%%\n"
)
_STYLE = """\
  classDef room fill:#eef4fb,stroke:#41658a,stroke-width:1px,color:#10243a
  classDef base fill:#f5f1e6,stroke:#8a7a4a,stroke-width:1px,color:#33290c
"""

Edges = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Room:
    """A package or a module directly below ``pacs_ai`` or ``training``."""

    path: str
    purpose: str

    @property
    def name(self) -> str:
        """The last part of the path, without its suffix."""
        return Path(self.path).stem

    @property
    def short(self) -> str:
        """The purpose up to the first pause."""
        return re.split(r"[:;.,](?:\s|$)", self.purpose)[0].replace("`", "")


def rooms(package: str) -> dict[str, Room]:
    """Return the rooms of a package by name, with the first line of what they say of themselves."""
    found = {}
    for path in sorted((ROOT / package).iterdir()):
        file = path / "__init__.py" if path.is_dir() else path
        if file.suffix != ".py" or path.name in ("__init__.py", "__main__.py") or not file.exists():
            continue
        lines = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").splitlines()
        suffix = "/" if path.is_dir() else ""
        found[path.stem] = Room(f"{package}/{path.name}{suffix}", lines[0])
    return found


def imports(package: str) -> Edges:
    """Return which room of a package imports which; ``__main__`` and the package itself aside."""
    graph = grimp.build_graph(*PACKAGES)
    known = rooms(package)
    edges: dict[str, set[str]] = {name: set() for name in known}
    for module in graph.modules:
        here = _room(module, package)
        for imported in graph.find_modules_directly_imported_by(module):
            there = _room(imported, package)
            if here in known and there not in ("", here):
                edges[here].add(there)
    return {name: frozenset(there) for name, there in edges.items()}


def _room(module: str, package: str) -> str:
    top, _, rest = module.partition(".")
    name = rest.partition(".")[0]
    return name if top == package else f"{top}.{name}" if name else ""


def merged(edges: Edges, group: Iterable[str], name: str) -> Edges:
    """Draw several rooms as one."""
    inside = frozenset(group)

    def rename(names: Iterable[str]) -> frozenset[str]:
        return frozenset(name if one in inside else one for one in names)

    joined: dict[str, frozenset[str]] = {}
    for here, there in edges.items():
        new = name if here in inside else here
        joined[new] = (joined.get(new, frozenset()) | rename(there)) - {new}
    return {**joined, **{one: frozenset() for one in rename(inside) - joined.keys()}}


def reduced(edges: Edges) -> Edges:
    """Leave out an arrow where a longer way leads to the same room."""
    reach: dict[str, frozenset[str]] = {}

    def below(room: str) -> frozenset[str]:
        if room not in reach:
            there = edges.get(room, frozenset())
            reach[room] = there.union(*map(below, there))
        return reach[room]

    return {
        room: frozenset(
            one for one in there if not any(one in below(other) for other in there - {one})
        )
        for room, there in edges.items()
    }


def loose(edges: Edges, known: Mapping[str, Room]) -> frozenset[str]:
    """Return the single modules that import none but each other: the ground of all rooms."""
    ground = {name for name, room in known.items() if room.path.endswith(".py")}
    while above := {name for name in ground if edges[name] - ground}:
        ground -= above
    return frozenset(ground)


def node_drawing() -> str:
    """Draw the rooms of the node."""
    known, edges = rooms("pacs_ai"), imports("pacs_ai")
    ground = loose(edges, known)
    labels = {name: (name, room.short) for name, room in known.items() if name not in ground}
    labels[GROUND] = (GROUND, ", ".join(sorted(ground)))
    return _mermaid(reduced(merged(edges, ground, GROUND)), labels, {GROUND})


def training_drawing() -> str:
    """Draw the rooms of training, and what they share with the node as one."""
    known, edges = rooms("training"), imports("training")
    shared = {one for there in edges.values() for one in there} - known.keys()
    names = sorted({one.removeprefix("pacs_ai.") for one in shared})
    labels = {name: (name, room.short) for name, room in known.items()}
    labels[NODE] = ("pacs_ai", "shared: " + ", ".join(names))
    return _mermaid(reduced(merged(edges, shared, NODE)), labels, {NODE})


def _mermaid(edges: Edges, labels: Mapping[str, tuple[str, str]], base: set[str]) -> str:
    return "".join(
        [
            "```mermaid\n",
            _LAYOUT,
            "flowchart TD\n",
            *(f"  {_id(one)}[{_label(*labels[one])}]\n" for one in sorted(labels)),
            *(f"  {_id(one)} --> {_targets(edges[one])}\n" for one in sorted(edges) if edges[one]),
            _STYLE,
            f"  class {','.join(map(_id, sorted(labels.keys() - base)))} room\n",
            f"  class {','.join(map(_id, sorted(base)))} base\n",
            "```\n",
        ]
    )


def _id(name: str) -> str:
    return f"r_{name}"  # some names are words of Mermaid


def _targets(names: Iterable[str]) -> str:
    return " & ".join(map(_id, sorted(names)))


def _label(title: str, text: str) -> str:
    lines = textwrap.wrap(text, _WIDTH)
    return '"' + "<br/>".join([f"<b>{title}</b>", *lines]) + '"'


def table(package: str) -> str:
    """List the rooms from top to bottom, with what they are for."""
    known, edges = rooms(package), imports(package)
    order = sorted(known, key=lambda name: (-_height(name, edges), name))
    rows = [
        f"| [`{known[one].path}`](../{known[one].path}) | {known[one].purpose} |" for one in order
    ]
    return "\n".join(["| Room | What it is for |", "|---|---|", *rows]) + "\n"


def _height(name: str, edges: Edges) -> int:
    return 1 + max((_height(one, edges) for one in edges.get(name, ())), default=-1)


def parts() -> Iterator[tuple[str, str]]:
    """Return everything on the page that is made, by name."""
    yield "rooms of the node", node_drawing()
    yield "table of the node", table("pacs_ai")
    yield "rooms of training", training_drawing()
    yield "table of training", table("training")


def renewed(page: str) -> str:
    """Return the page with its made parts as they are now."""
    now = dict(parts())

    def put(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- made: {name} -->\n\n{now[name]}\n<!-- end -->\n"

    return MARK.sub(put, page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
