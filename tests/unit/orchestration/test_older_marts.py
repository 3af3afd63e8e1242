"""A warehouse of another version: every command that meets one says what differs and what to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.cli.application import build_app, run_app
from letterpress.errors import BrokenError
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.older_marts import promised_columns, refuse_older_marts
from letterpress.settings import Settings

MART = "fct_slate_items"
SENTENCE = (
    r"expected fct_slate_items in \S+ to have the columns of this version, found it of another: "
    r"without shown_as_of_at, with mood\. Run `letterpress features --full-refresh`"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var")


def write_mart(settings: Settings, columns: set[str]) -> None:
    """A warehouse with one mart of these columns, and a view that has nothing to do with it."""
    typed = ", ".join(f"{column} varchar" for column in sorted(columns))
    with connect_warehouse(settings.paths, read_only=False, threads=1) as warehouse:
        warehouse.execute(f"create table {MART} ({typed}); create view other as select 1 as one")


def write_older_mart(settings: Settings) -> None:
    write_mart(settings, promised_columns(settings.project)[MART] - {"shown_as_of_at"} | {"mood"})


def test_every_mart_that_grows_promises_its_columns() -> None:
    promised = promised_columns(Settings().project)

    assert {MART, "training_examples", "ftr_item_hours"} <= set(promised)
    assert {name for name in promised if name.startswith(("fct_", "ftr_", "training_"))} <= {
        name for name, columns in promised.items() if columns
    }


def test_a_mart_of_another_version_is_named_with_the_columns_that_differ(settings: Settings) -> None:
    write_older_mart(settings)

    with pytest.raises(BrokenError, match=SENTENCE):
        refuse_older_marts(settings)


def test_a_mart_of_today_passes_and_so_does_no_warehouse(settings: Settings) -> None:
    refuse_older_marts(settings)
    write_mart(settings, promised_columns(settings.project)[MART])
    refuse_older_marts(settings)


@pytest.mark.parametrize(
    "command",
    [
        ["features"],
        ["features", "--range", "2026-01-05T03--2026-01-05T04"],
        ["validate", "--gate", "features"],
    ],
)
def test_every_command_says_to_build_from_nothing(
    command: list[str],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(settings.paths.root))
    write_older_mart(settings)

    assert run_app(build_app(), command) == BrokenError.exit_code
    assert "letterpress features --full-refresh" in capsys.readouterr().err
