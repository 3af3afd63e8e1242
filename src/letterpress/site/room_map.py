"""The map of the rooms, drawn from the code: each room's promise and whom it really asks.

`python -m letterpress.site.room_map docs/rooms.md` rewrites the page; a test holds it to the code.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

HEADER = """# The rooms

Drawn from the code by `make docs`; a test fails when it is out of date. Arrows point from a room to
those that it imports today; `make check` refuses an import that the contract in `pyproject.toml` does
not allow.
"""


def rooms() -> list[Path]:
    """The folders of the package that are rooms, by name."""
    return sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))


def promise(room: Path) -> str:
    """The first paragraph of the room's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def asked_rooms(room: Path) -> list[str]:
    """Names of the rooms that modules of `room` import, itself left out."""
    asked: set[str] = set()
    for path in room.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            asked |= {name.split(".")[1] for name in names if name.startswith("letterpress.")}
    return sorted(asked & {each.name for each in rooms()} - {room.name})


def render_room_map() -> str:
    """The page as Markdown: a Mermaid drawing and a table."""
    found = [(room, asked_rooms(room)) for room in rooms()]
    arrows = [f"  {room.name} --> {other}" for room, asked in found for other in asked]
    rows = [f"| `{room.name}/` | {promise(room)} | {', '.join(asked) or '-'} |" for room, asked in found]
    drawing = ["```mermaid", "flowchart TD", *arrows, "```"]
    table = ["| room | what lives there | asks |", "|---|---|---|", *rows]
    return "\n".join([HEADER, *drawing, "", *table, ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_room_map(), encoding="utf-8")
