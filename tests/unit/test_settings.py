from pathlib import Path

import pytest

from letterpress.errors import SettingsError
from letterpress.settings import child_environment, read_settings


def test_state_lives_under_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path))
    paths = read_settings().paths
    assert paths.raw == tmp_path / "raw"
    assert paths.warehouse == tmp_path / "warehouse.duckdb"


def test_nested_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_SERVICE__PORT", "3999")
    assert read_settings().service.port == 3999


def test_a_misspelt_setting_is_refused_with_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_SERVICE__PROT", "3999")
    with pytest.raises(SettingsError, match=r"did you mean LETTERPRESS_SERVICE__PORT\?"):
        read_settings()


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_wrong_value_names_the_setting_and_the_value(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_SERVICE__PORT", port)
    with pytest.raises(SettingsError, match=f"LETTERPRESS_SERVICE__PORT.*'{port}'"):
        read_settings()


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_SERVICE__TOKEN", "only-for-the-editor")
    assert "only-for-the-editor" not in repr(read_settings())


def test_a_service_open_to_others_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_SERVICE__HOST", "0.0.0.0")  # noqa: S104 - what is refused
    with pytest.raises(SettingsError, match="LETTERPRESS_SERVICE__TOKEN"):
        read_settings()
    monkeypatch.setenv("LETTERPRESS_SERVICE__TOKEN", "only-for-the-editor")
    assert read_settings().service.token is not None


@pytest.mark.parametrize("name", ["SERVICE__TOKEN", "AIRFLOW__PASSWORD"])
def test_an_empty_secret_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LETTERPRESS_{name}", "")
    with pytest.raises(SettingsError, match=f"LETTERPRESS_{name}"):
        read_settings()


def test_a_request_may_not_carry_more_items_than_a_logged_slate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_SERVICE__MAX_ITEMS", "1001")
    with pytest.raises(SettingsError, match="less than or equal to 1000"):
        read_settings()


def test_a_child_finds_the_same_home_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LETTERPRESS_HOME", "state")
    environment = child_environment(read_settings(), EXTRA="1")
    assert environment["LETTERPRESS_HOME"] == str(tmp_path / "state")
    assert environment["EXTRA"] == "1"


def test_a_section_that_is_no_object_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_SERVICE", "port 3000")
    with pytest.raises(SettingsError, match="LETTERPRESS_SERVICE__PORT"):
        read_settings()


def test_an_empty_home_is_not_the_present_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", "")
    with pytest.raises(SettingsError, match="found it empty"):
        read_settings()


@pytest.mark.parametrize("name", ["it's mine", "100%", "a$b", "[old]"])
def test_a_home_whose_path_other_programs_misread_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path / name))
    with pytest.raises(SettingsError, match="LETTERPRESS_HOME: expected a path without"):
        read_settings()


def test_a_file_is_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path / "file"))
    with pytest.raises(SettingsError, match=r"expected a folder at .*file, or nothing yet"):
        read_settings()


def test_the_variable_that_set_up_reads_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_PYTHON", "/usr/bin/python3.12")
    assert read_settings().threads
