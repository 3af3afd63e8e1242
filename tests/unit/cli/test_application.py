import json
from collections.abc import Callable
from pathlib import Path

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


def test_an_error_that_nobody_foresaw_is_broken_and_not_refused(capsys: pytest.CaptureFixture[str]) -> None:
    def stumble(as_json: bool = typer.Option(False, "--json")) -> None:
        raise KeyError("item_id")

    assert run(stumble, "one", "--json") == 3
    captured = capsys.readouterr()
    assert "KeyError: 'item_id'" in json.loads(captured.out)["detail"]
    assert "Traceback" not in captured.err
    kept = Path(captured.err.split("please report ")[1].rstrip(".\n"))
    assert "Traceback" in kept.read_text()
    kept.unlink()


def test_a_file_that_ends_too_early_is_not_taken_for_an_interruption(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def read() -> None:
        raise EOFError("Compressed file ended before the end-of-stream marker was reached")

    assert run(read, "one") == 3
    kept = Path(capsys.readouterr().err.split("please report ")[1].rstrip(".\n"))
    kept.unlink()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "expected a command, found none; `letterpress --help` lists what there is."),
        (["train", "--nope"], "No such option: --nope; `letterpress train --help` lists what there is."),
        (["serve", "--port", "0"], "greater than or equal to 1; `letterpress serve --help`"),
        (["evaluate", "--recommender", "image_enhancement", "--version", "0"], "greater than or equal to 1"),
    ],
)
def test_wrong_arguments_are_answered_with_where_to_look(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(build_app(), arguments) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "evaluate", "promote", "rollback", "package"])
def test_an_unknown_recommender_is_wrong_usage_everywhere(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path))
    assert run_app(build_app(), [command, "--recommender", "nope"]) == 2
    assert (
        "expected one of image_enhancement, open_bandit, subject_line; found 'nope'"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("command", ["train", "evaluate", "promote", "package", "rollback"])
def test_a_step_before_its_time_names_the_one_before(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path))
    assert run_app(build_app(), [command, "--recommender", "image_enhancement"]) == 2
    assert "found none" in (said := capsys.readouterr().err)
    assert "`letterpress " in said
    assert ".." not in said.replace("...", "")


@pytest.mark.parametrize(
    "options", [["--days", "100000000"], ["--slates", "100000000"], ["--end-now", "--days", "100000000"]]
)
def test_a_simulation_beyond_all_measure_is_refused_at_once(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(build_app(), ["simulate", "--out", str(tmp_path / "out"), *options]) == 2
    assert "100000000" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--against", "nonsense"], "expected an address like http://127.0.0.1:3000, found 'nonsense'"),
        (["--against", "http://127.0.0.1:1", "--drift-day", "-1"], "expected a drift day of 0 or more"),
        (["--out", "{here}/new", "--drift-day", "14"], "expected a drift day from 0 to 13, found 14"),
        (["--out", "{here}/used"], "found day.jsonl.gz of another simulation"),
        (["--out", "{here}/used/day.jsonl.gz"], "expected a folder to write to, found the file"),
    ],
)
def test_a_simulation_that_goes_nowhere_is_refused_and_writes_nothing(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path / "home"))
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "day.jsonl.gz").touch()
    before = sorted(tmp_path.rglob("*"))
    found = [each.replace("{here}", str(tmp_path)) for each in arguments]
    assert run_app(build_app(), ["simulate", *found]) == 2
    assert sentence in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_is_said_and_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    def wait(as_json: bool = typer.Option(False, "--json")) -> None:
        raise KeyboardInterrupt

    assert run(wait, "one", "--json") == 130
    captured = capsys.readouterr()
    assert captured.err == "Stopped before it was done; run the same command again.\n"
    assert json.loads(captured.out)["exit_code"] == 130
