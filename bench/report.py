"""Writes one result file a benchmark, and the document that shows them all."""

from __future__ import annotations

import os
import platform
from datetime import datetime
from pathlib import Path

import msgspec

from letterpress.atomic_file import write_atomically


class Figure(msgspec.Struct, kw_only=True):
    """One measured number. `goal` is a bound such as `< 10`; `met` is null without one."""

    name: str
    value: float
    unit: str
    goal: str | None = None
    met: bool | None = None


class Result(msgspec.Struct, kw_only=True):
    """What one benchmark measured, where and how."""

    name: str
    at: str
    machine: str
    command: str
    figures: list[Figure]
    note: str = ""


def figure(name: str, value: float, unit: str, goal: str | None = None) -> Figure:
    """A figure with `met` worked out from a goal such as `< 10`, `>= 2` or `= 0`.

    >>> figure("p99", 4.0, "ms", "< 10").met, figure("errors", 1, "requests", "= 0").met
    (True, False)
    """
    if goal is None:
        return Figure(name=name, value=value, unit=unit)
    sign, bound = goal.split()
    met = {"<": value < float(bound), ">=": value >= float(bound), "=": value == float(bound)}[sign]
    return Figure(name=name, value=value, unit=unit, goal=goal, met=met)


def describe_machine() -> str:
    """Cores, processor, memory and Python of this machine; nothing that identifies it."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {cpu}, {memory:.0f} GB, Python {platform.python_version()}"


def write_result(path: Path, figures: list[Figure], *, at: datetime, command: str, note: str) -> None:
    """Write `path`; its stem is the benchmark's name."""
    result = Result(
        name=path.stem,
        at=at.isoformat(timespec="seconds"),
        machine=describe_machine(),
        command=command,
        figures=figures,
        note=note,
    )
    write_atomically(path, msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def write_document(results: Path, document: Path) -> None:
    """Rewrite `document` from all result files."""
    parts = [
        "# Benchmarks\n\nWritten by `make bench` from `bench/results/`; do not edit. Peers run in the same "
        "run on the same machine, in turns, so read ratios first and absolute numbers second.\n"
    ]
    found = [msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(results.glob("*.json"))]
    parts.extend(map(_section, found))
    write_atomically(document, "\n".join(parts).encode())


def _section(result: Result) -> str:
    rows = [
        f"| {each.name} | {each.value:,.6g} | {each.unit} | {each.goal or ''} | {_mark(each.met)} |"
        for each in result.figures
    ]
    return "\n".join(
        [
            f"## {result.name}\n",
            f"{result.at}, {result.machine}. Command: `{result.command}`\n",
            *([f"{result.note}\n"] if result.note else []),
            "| figure | value | unit | goal | met |",
            "| --- | ---: | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _mark(met: bool | None) -> str:
    return {True: "yes", False: "**no**", None: ""}[met]
