"""Secrets are made once, whole, and for their owner's eyes only."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from letterpress.orchestration.airflow_environment import airflow_environment, airflow_password
from letterpress.settings import AirflowSettings, Settings


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = airflow_environment(settings)
    assert airflow_environment(settings) == first
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) > 64
    assert first["AIRFLOW__API_AUTH__JWT_SECRET"] != first["AIRFLOW__API__SECRET_KEY"]
    secrets = settings.paths.airflow / "secrets"
    assert modes(secrets) == dict.fromkeys(("api", "jwt", "password", "passwords.json"), 0o600)


def test_a_password_that_was_set_is_kept_from_others_too(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, airflow=AirflowSettings(password=SecretStr("open sesame")))
    airflow_environment(settings)
    passwords = settings.paths.airflow / "secrets" / "passwords.json"
    assert json.loads(passwords.read_text()) == {"admin": "open sesame"}
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600


def test_a_secret_that_could_not_be_written_is_no_empty_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)

    def fill_the_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fill_the_disk)
    with pytest.raises(OSError, match="No space"):
        airflow_password(settings)
    monkeypatch.undo()
    assert not list((settings.paths.airflow / "secrets").iterdir())
    assert len(airflow_password(settings)) >= 12


def test_every_address_is_on_loopback_and_every_folder_in_the_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, airflow=AirflowSettings(port=18080))
    environment = airflow_environment(settings)
    ours = {name: value for name, value in environment.items() if name.startswith("AIRFLOW__")}
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    addresses = {value for value in ours.values() if value.startswith("http")}
    assert {urlsplit(address).netloc for address in addresses} == {"127.0.0.1:18080"}
    folders = {value for name, value in ours.items() if value.startswith("/") and "DAGS_FOLDER" not in name}
    assert {folder for folder in folders if not Path(folder).is_relative_to(settings.paths.airflow)} == set()
    assert environment["AIRFLOW_HOME"] == str(settings.paths.airflow)
    assert environment["LETTERPRESS_HOME"] == str(settings.paths.root)
