import json
from collections.abc import Callable

import pytest
import typer

from letterpress.cli.application import build_app, run_app
from letterpress.errors import NotEnoughDataError


def run(command: Callable[..., None], *arguments: str) -> int:
    app = typer.Typer(no_args_is_help=True)
    app.command("one")(command)
    app.command("two")(lambda: None)
    return run_app(app, arguments)


def test_our_errors_become_a_sentence_and_their_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise NotEnoughDataError("expected 500 slates, found 3; import more.")

    assert run(refuse, "one") == 1
    captured = capsys.readouterr()
    assert captured.err == "Not enough data: expected 500 slates, found 3; import more.\n"
    assert captured.out == ""


def test_with_json_the_error_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(as_json: bool = typer.Option(False, "--json")) -> None:
        raise NotEnoughDataError("too few")

    assert run(refuse, "one", "--json") == 1
    assert json.loads(capsys.readouterr().out) == {
        "error": "Not enough data",
        "detail": "too few",
        "exit_code": 1,
    }


def test_a_full_disk_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def fill() -> None:
        raise OSError(28, "No space left on device", "raw/x.parquet")

    assert run(fill, "one") == 3
    assert "the disk is full; nothing was lost" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["three"], ["one", "--no-such-option"], []])
def test_wrong_usage_is_exit_two_without_a_traceback(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda: None, *arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_every_subcommand_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(build_app(), ["--help"]) == 0
    assert "letterpress" in capsys.readouterr().out
