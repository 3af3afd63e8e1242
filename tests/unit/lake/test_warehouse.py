"""Who may open the warehouse."""

from __future__ import annotations

import subprocess
import sys

import pytest

from letterpress.errors import BrokenError, NotYetThereError, StorageError
from letterpress.lake.warehouse import connect_warehouse
from letterpress.settings import Home

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_time_is_utc(home: Home) -> None:
    with connect_warehouse(home, read_only=False, threads=1) as warehouse:
        assert warehouse.execute("select current_setting('TimeZone')").fetchone() == ("UTC",)


def test_reading_what_is_not_there_says_how_to_make_it(home: Home) -> None:
    with (
        pytest.raises(NotYetThereError, match="letterpress features"),
        connect_warehouse(home, read_only=True, threads=1),
    ):
        pass


def test_a_file_that_is_no_database_is_named(home: Home) -> None:
    home.root.mkdir()
    home.warehouse.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="Delete it"), connect_warehouse(home, read_only=True, threads=1):
        pass


def test_a_writer_keeps_everybody_else_out_with_a_sentence(home: Home) -> None:
    home.root.mkdir()
    command = [sys.executable, "-c", HOLD, str(home.warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for read_only in (True, False):
            with (
                pytest.raises(BrokenError, match="another process"),
                connect_warehouse(home, read_only=read_only, threads=1),
            ):
                pass
        holder.communicate("")
