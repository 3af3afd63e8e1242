from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from letterpress.errors import StorageError
from letterpress.lake import tenant_keys
from letterpress.lake.tenant_keys import NO_TENANT, StandInKeys, TenantKeys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_a_key_is_made_once_and_found_by_every_process(folder: Path) -> None:
    first = TenantKeys(folder).of("acme")
    again = TenantKeys(folder).of("acme")
    assert (again.pseudonyms, again.encryption) == (first.pseudonyms, first.encryption)
    assert first.pseudonyms != first.encryption


def test_every_tenant_and_no_tenant_have_keys_of_their_own(folder: Path) -> None:
    keys = TenantKeys(folder)
    assert len({keys.of(name).encryption for name in ("acme", "Acme", "none", NO_TENANT)}) == 4


def test_only_the_owner_may_read_folder_and_files(folder: Path) -> None:
    TenantKeys(folder).of("acme")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes()) == 32


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b", "a\\b", ".", "CON", "ä" * 200, "'; drop", "a\nb"]
)
def test_no_name_of_a_tenant_leaves_the_folder(folder: Path, name: str) -> None:
    TenantKeys(folder).of(name)
    (file,) = folder.iterdir()
    assert file.suffix == ".key"
    assert len(file.name) < 50


def _fingerprint(folder: Path) -> bytes:
    return TenantKeys(folder).of("acme").pseudonyms


def test_processes_that_start_together_agree_on_one_key(folder: Path) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        found = set(pool.map(_fingerprint, [folder] * 32, chunksize=1))
    assert found == {_fingerprint(folder)}
    assert len(list(folder.iterdir())) == 1


def test_a_destroyed_key_is_not_used_again_by_who_knew_it(folder: Path) -> None:
    mine, other = TenantKeys(folder), TenantKeys(folder)
    old = mine.of("acme")
    assert other.destroy("acme")
    assert not other.destroy("acme")
    assert mine.find(old.key_id) is None
    assert mine.of("acme").pseudonyms != old.pseudonyms


def test_a_damaged_key_says_what_removing_it_means(folder: Path) -> None:
    TenantKeys(folder).of("acme")
    (file,) = folder.iterdir()
    file.write_bytes(b"short")
    with pytest.raises(StorageError, match=r"expected a key of 32 bytes .*found 5.* its pseudonyms"):
        TenantKeys(folder).of("acme")


def test_a_folder_that_is_none_says_which_setting_names_it(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(StorageError, match="LETTERPRESS_KEYS"):
        TenantKeys(folder).of("acme")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_says_so(folder: Path) -> None:
    folder.mkdir(mode=0)
    with pytest.raises(StorageError, match="0700"):
        TenantKeys(folder).of("acme")
    folder.chmod(0o700)


def test_a_key_does_not_print_itself(folder: Path) -> None:
    key = TenantKeys(folder).of("acme")
    assert key.pseudonyms.hex() not in repr(key)
    assert repr(key.pseudonyms) not in repr(key)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o777, 0o711])
def test_a_folder_that_others_may_enter_is_closed_with_a_warning(
    folder: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    TenantKeys(folder).of("acme")
    folder.chmod(mode)
    with caplog.at_level("WARNING", "letterpress"):
        TenantKeys(folder).of("acme")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert f"mode={mode:04o}" in caplog.text
    caplog.clear()
    TenantKeys(folder).of("acme")
    assert caplog.text == ""


def test_a_folder_that_others_may_enter_and_that_is_not_ours_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(
        Path, "chmod", lambda *_, **__: (_ for _ in ()).throw(PermissionError(1, "not yours"))
    )
    with pytest.raises(StorageError, match=r"found mode 0755 and another owner"):
        TenantKeys(folder).of("acme")
    assert list(folder.iterdir()) == []


def test_a_process_remembers_a_bounded_number_of_keys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_keys, "MOST_KNOWN", 3)
    keys = TenantKeys(folder)
    first = {name: keys.of(name).pseudonyms for name in "abcdef"}
    assert len(keys._known) == 3
    assert {name: keys.of(name).pseudonyms for name in "abcdef"} == first


def test_a_look_with_stand_ins_makes_no_key_and_uses_those_that_there_are(folder: Path) -> None:
    keys = TenantKeys(folder)
    made = keys.of("acme")
    look = StandInKeys(keys)
    assert look.of("acme").pseudonyms == made.pseudonyms
    assert (
        look.of("birch").pseudonyms == look.of("birch").pseudonyms != StandInKeys(keys).of("birch").pseudonyms
    )
    assert list(look.missing) == ["birch"]
    assert len(list(folder.iterdir())) == 1
    keys.make(look.missing)
    assert StandInKeys(keys).of("birch").pseudonyms == keys.of("birch").pseudonyms
