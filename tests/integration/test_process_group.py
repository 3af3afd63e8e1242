import json
import os
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from letterpress.errors import BrokenError, PortInUseError
from letterpress.orchestration.process_group import Program, is_running, start_program, stop_program

# A parent that dies at once when asked, and leaves a child that will not hear of it.
STUBBORN = """
import subprocess, sys, time
child = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child])
time.sleep(600)
"""


def program(folder: Path, code: str, port: int | None = None) -> Program:
    return Program(
        name="service",
        command=[sys.executable, "-c", code],
        folder=folder,
        environment=dict(os.environ),
        log=folder / "log" / "service.log",
        record=folder / "log" / "service.pid",
        port=port,
    )


def wait_for_log(each: Program, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in each.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)


def members(session: int) -> list[int]:
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found


def test_stopping_leaves_no_process_even_when_a_child_ignores_the_signal(tmp_path: Path) -> None:
    stubborn = program(tmp_path, STUBBORN)
    pid = start_program(stubborn)
    wait_for_log(stubborn, "up")
    assert len(members(pid)) == 2
    assert stop_program(stubborn.record, patience_seconds=0.5) == 2
    assert members(pid) == []
    assert not is_running(stubborn.record)


def test_orphans_of_a_dead_leader_are_stopped_too(tmp_path: Path) -> None:
    stubborn = program(tmp_path, STUBBORN)
    pid = start_program(stubborn)
    wait_for_log(stubborn, "up")
    psutil.Process(pid).kill()
    stop_program(stubborn.record, patience_seconds=0.5)
    assert members(pid) == []


def test_a_second_start_finds_the_first(tmp_path: Path) -> None:
    sleeper = program(tmp_path, "import time; time.sleep(600)")
    first = start_program(sleeper)
    assert start_program(sleeper) == first
    stop_program(sleeper.record)


def test_a_process_id_that_now_belongs_to_another_is_left_alone(tmp_path: Path) -> None:
    record = tmp_path / "service.pid"
    started = psutil.Process().create_time()
    record.write_text(json.dumps({"pid": os.getpid(), "started": started - 3600}))
    assert not is_running(record)


def test_a_used_port_is_named_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port}.*LETTERPRESS_SERVICE__PORT"):
            start_program(program(tmp_path, "", port))


def test_a_program_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    missing = Program("site", ["no-such-program"], tmp_path, {}, tmp_path / "log", tmp_path / "pid")
    with pytest.raises(BrokenError, match="site could not be started"):
        start_program(missing)
