"""Starts a program in its own process group, remembers it, and stops the whole group.

A parent that is asked to stop may leave its children behind (Airflow left 10 of 12), so the group is
what is signalled. The group's leader is remembered with its start time: a process id that was given to
somebody else since is never touched.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from letterpress.atomic_file import write_atomically
from letterpress.errors import BrokenError, PortInUseError, as_clause
from letterpress.settings import Settings

_started: list[subprocess.Popen[bytes]] = []
"""Children of this very process: kept, because a forgotten `Popen` warns when it is collected."""


@dataclass(frozen=True, slots=True)
class Program:
    """Something that runs in the background. `log` and `record` are files, ports are on loopback."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    log: Path
    record: Path
    port: int | None = None


def start_program(program: Program) -> int:
    """The process id, which is also the group's; the running one's when it is already up.

    Raises:
        PortInUseError: somebody else listens on the program's port.
        BrokenError: the program could not be started at all.
    """
    running = _running_leader(program.record)
    if running is not None:
        return int(running.pid)
    if program.port is not None:
        refuse_used_port(program.name, program.port)
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("ab") as log:
        try:
            process = subprocess.Popen(
                list(program.command),
                cwd=program.folder,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise BrokenError(
                f"{program.name} could not be started: {as_clause(error)}. Run `make setup`."
            ) from error
    _started.append(process)
    leader = {"pid": process.pid, "started": psutil.Process(process.pid).create_time()}
    write_atomically(program.record, json.dumps(leader).encode())
    return process.pid


def _choice_of_port(name: str) -> str:
    return f"LETTERPRESS_{name.upper()}__PORT=<port>" if name in Settings.model_fields else "--port"


def refuse_used_port(name: str, port: int) -> None:
    """Raises PortInUseError when something on this machine listens on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortInUseError(
                f"{name} needs port {port}, but another process listens there. "
                f"Stop it, or choose another port with {_choice_of_port(name)}."
            ) from None


def is_running(record: Path) -> bool:
    """Whether the program remembered in `record` is alive."""
    return _running_leader(record) is not None


def stop_program(record: Path, *, patience_seconds: float = 20.0) -> int:
    """How many processes of the remembered group were stopped: politely, then by force. Idempotent."""
    group = _group_of(record)
    if group:
        _signal_group(group, signal.SIGTERM)
        alive = _wait_for(group, patience_seconds)
        if alive:
            _signal_group(alive, signal.SIGKILL)
            _wait_for(alive, patience_seconds)
    record.unlink(missing_ok=True)
    return len(group)


def _running_leader(record: Path) -> psutil.Process | None:
    try:
        leader = json.loads(record.read_bytes())
        process = psutil.Process(leader["pid"])
        same = abs(process.create_time() - leader["started"]) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, json.JSONDecodeError, KeyError, psutil.NoSuchProcess):
        return None


def _group_of(record: Path) -> list[psutil.Process]:
    """Every living member of the group; the leader may be gone, its children not."""
    try:
        leader = json.loads(record.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    pid = int(leader["pid"])
    if _was_recycled(pid, float(leader["started"])):
        return []
    return [process for process in psutil.process_iter() if _session_of(process) == pid]


def _was_recycled(pid: int, started: float) -> bool:
    """The kernel gives a session's id away only when nobody is left in the session."""
    if started < psutil.boot_time():
        return True
    try:
        return abs(psutil.Process(pid).create_time() - started) > 1.0
    except psutil.NoSuchProcess:
        return False


def _session_of(process: psutil.Process) -> int | None:
    """The session that a living process belongs to; None for the dead and for those of other users."""
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getsid(process.pid)
    except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
        return None


def _signal_group(group: list[psutil.Process], number: signal.Signals) -> None:
    for process in group:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _wait_for(group: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that are still alive after `seconds`; children of this very process are reaped."""
    deadline = time.monotonic() + seconds
    alive = group
    while alive and time.monotonic() < deadline:
        _, alive = psutil.wait_procs(alive, timeout=0.2)
        alive = [each for each in alive if _session_of(each) is not None]
    for process in _started:
        process.poll()
    return alive
