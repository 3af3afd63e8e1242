"""The compose file cannot be run here; what it says is held against the code."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from letterpress.cli.application import build_app, run_app
from letterpress.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def service() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"][
        "letterpress"
    ]
    return found


def test_its_settings_are_known(service: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, "any" if "TOKEN" in name else str(value))
    assert read_settings().paths.root == Path("/state")


def test_its_command_exists(service: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    program, subcommand, option = service["command"]
    assert program == "letterpress"
    assert run_app(build_app(), [subcommand, "--help"]) == 0
    assert option in capsys.readouterr().out


def test_it_publishes_the_ports_of_the_settings_on_loopback_only(service: dict[str, Any]) -> None:
    settings = read_settings()
    inside = {int(each.rsplit(":", 1)[1]) for each in service["ports"]}
    assert inside == {settings.airflow.port, settings.service.port, settings.site.port}
    assert all(each.startswith("127.0.0.1:") for each in service["ports"])
