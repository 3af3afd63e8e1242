"""The suites under `expectations/`, read and checked without loading Great Expectations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from letterpress.errors import UsageError

Severity = Literal["critical", "warning"]


class Expectation(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One line of a suite."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
    """What is then true; unique within its table."""
    type: Annotated[str, Meta(pattern=r"^expect_[a-z_]+$")]
    kwargs: dict[str, Any] = {}
    severity: Severity
    """`critical` stops the run, `warning` is shown and counted."""
    why: Annotated[str, Meta(min_length=20)]

    @property
    def sentence(self) -> str:
        """The name as people read it: `Event ids are unique`."""
        return self.name.replace("_", " ").capitalize()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        single = (self.kwargs.get(key) for key in ("column", "column_A", "column_B"))
        lists = (self.kwargs.get(key, ()) for key in ("column_list", "column_set"))
        return (*(name for name in single if name), *(name for names in lists for name in names))


class Suite(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """All that one gate expects, table by table."""

    description: str
    tables: dict[str, list[Expectation]]

    @property
    def size(self) -> int:
        return sum(len(expectations) for expectations in self.tables.values())


def suite_path(project: Path, gate: str) -> Path:
    """Where the suite of `gate` lies in the checkout `project`."""
    return project / "expectations" / gate / "suite.yaml"


def gate_names(project: Path) -> tuple[str, ...]:
    """The gates that have a suite, sorted."""
    return tuple(sorted(path.parent.name for path in (project / "expectations").glob("*/suite.yaml")))


def read_suite(project: Path, gate: str) -> Suite:
    """The suite of `gate`.

    Raises:
        UsageError: there is none, it does not fit the shape above, or a name is used twice.
    """
    path = suite_path(project, gate)
    if not path.is_file():
        known = ", ".join(gate_names(project)) or "none"
        raise UsageError(f"expected one of the gates {known}; found {gate!r}. Name one that has a suite.")
    try:
        suite = msgspec.yaml.decode(path.read_bytes(), type=Suite)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {error}; correct the suite and run again.") from error
    for table, expectations in suite.tables.items():
        names = [expectation.name for expectation in expectations]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"{path}: expected each name once in {table}, found {twice} twice; rename one.")
    return suite
