"""One random secret a tenant, outside the lake: made on first use, destroyed to forget (ADR 0014).

A folder only its owner may enter (0700) with a file of 32 random bytes a tenant (0600). A file's name is a
hash of the tenant's, because a tenant's name is any text. From the secret two keys are derived: one makes
pseudonyms and tokens, one encrypts. Who loses the folder loses what is in quarantine, and identifiers that
come later no longer meet those that came before; raw, features and models stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from letterpress.atomic_file import sync_path
from letterpress.errors import StorageError
from letterpress.log import logger

NO_TENANT = ""
"""Stands for everything that has no tenant: landing copies, lines without one. No tenant can be called so."""
SECRET_BYTES = 32
MOST_KNOWN = 10_000
"""Keys that one process remembers; others are read again when they are needed."""
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class TenantKey:
    """The two keys of one tenant. Never printed, never written."""

    key_id: str
    pseudonyms: bytes
    encryption: bytes

    def __repr__(self) -> str:
        return f"TenantKey({self.key_id})"


@lru_cache(maxsize=10_000)
def key_id_of(tenant: str) -> str:
    """What a tenant's key is called: 32 hex digits, safe as a file name whatever the tenant's name is.

    >>> key_id_of("../../etc") == key_id_of("../../etc") != key_id_of("acme")
    True
    """
    return "none" if tenant == NO_TENANT else hashlib.sha256(tenant.encode()).hexdigest()[:32]


class TenantKeys:
    """The keys in `folder`. Any number of processes may use it at once; a destroyed key is not used again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: OrderedDict[str, tuple[tuple[int, int], TenantKey]] = OrderedDict()
        self._is_private = False

    def of(self, tenant: str) -> TenantKey:
        """The key of `tenant`, made when there is none yet and on disk before it is used.

        Raises:
            StorageError: the folder cannot be read or written, or a key file is damaged.
        """
        key_id = key_id_of(tenant)
        found = self.find(key_id)
        while found is None:  # again only when another process destroyed it in between
            self._create(key_id)
            found = self.find(key_id)
        return found

    def make(self, tenants: Iterable[str]) -> None:
        """Make the keys of `tenants` that there are none of yet.

        Raises:
            StorageError: the folder cannot be read or written, or a key file is damaged.
        """
        for tenant in tenants:
            self.of(tenant)

    def find(self, key_id: str) -> TenantKey | None:
        """The key that is called `key_id`; None when it never was or was destroyed.

        Raises:
            StorageError: the folder cannot be read, or the key file is damaged.
        """
        known = self._known.get(key_id)
        path = self._path(key_id)
        try:
            state = os.stat(path)  # noqa: PTH116  # half the time of Path.stat, once an event
            signature = (state.st_ino, state.st_mtime_ns)
            if known is not None and known[0] == signature:
                return known[1]
            self._keep_others_out()
            secret = Path(path).read_bytes()
        except FileNotFoundError:
            self._known.pop(key_id, None)
            return None
        except OSError as error:
            raise self._unreadable(error) from error
        if len(secret) != SECRET_BYTES:
            raise StorageError(
                f"expected a key of {SECRET_BYTES} bytes in {path}, found {len(secret)}. Restore it from a "
                "backup. Removing it makes a new key: what the old one encrypted stays unreadable, and its "
                "pseudonyms no longer meet new ones."
            )
        key = _key_of(key_id, secret)
        self._known[key_id] = (signature, key)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return key

    def destroy(self, tenant: str) -> bool:
        """Make everything that the key of `tenant` encrypted unreadable; False when there was no key.

        Raises:
            StorageError: the folder cannot be written.
        """
        path = Path(self._path(key_id_of(tenant)))
        self._known.pop(key_id_of(tenant), None)
        try:
            path.unlink()
            sync_path(self.folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unreadable(error) from error
        logger.info("tenant_keys destroyed key=%s", path.stem)
        return True

    def _path(self, key_id: str) -> str:
        return f"{self.folder}/{key_id}.key"

    def _create(self, key_id: str) -> None:
        """Put a new secret in place, complete and on disk, unless another process was first."""
        path = Path(self._path(key_id))
        staged = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
        try:
            if not self.folder.is_dir():
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._keep_others_out()
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:  # writes on when the disk took a part only
                stream.write(secrets.token_bytes(SECRET_BYTES))
                stream.flush()
                os.fsync(descriptor)
            try:
                os.link(staged, path)  # unlike a rename it never replaces a key that is in use
            except FileExistsError:
                return
            finally:
                staged.unlink()
            sync_path(self.folder)
        except OSError as error:
            raise self._unreadable(error) from error
        logger.debug("tenant_keys made key=%s folder=%s", key_id, self.folder)

    def _keep_others_out(self) -> None:
        """Close the folder to everybody but its owner, once; warns when it was open.

        Raises:
            FileNotFoundError: there is none.
            StorageError: it is another user's.
        """
        if self._is_private:
            return
        mode = stat.S_IMODE(self.folder.stat().st_mode)
        if mode & _OTHERS:
            try:
                self.folder.chmod(mode & ~_OTHERS)
            except PermissionError as error:
                raise StorageError(
                    f"expected only the owner to enter the keys in {self.folder} (mode 0700), found mode "
                    f"{mode:04o} and another owner. Have its owner run `chmod 700` on it, or name another "
                    "folder in LETTERPRESS_KEYS."
                ) from error
            logger.warning(
                "tenant_keys closed folder=%s mode=%04o: others could read keys; replace them if they did",
                self.folder,
                mode,
            )
        self._is_private = True

    def _unreadable(self, error: OSError) -> StorageError:
        return StorageError(
            f"expected to read and write keys in {self.folder}, found: {error.strerror}. Give this user the "
            "folder (mode 0700), or name another one in LETTERPRESS_KEYS; nothing was written without a key."
        )


class StandInKeys(TenantKeys):
    """The keys that are there, and for every other tenant one that lives as long as this; nothing is made.

    Whoever looks with them whether something fits makes no key for what is refused: `missing` are the tenants
    whose keys must be made, and the look repeated, before anything is kept.
    """

    def __init__(self, keys: TenantKeys) -> None:
        self.folder, self._known, self._is_private = keys.folder, keys._known, keys._is_private
        self.missing: dict[str, TenantKey] = {}

    def of(self, tenant: str) -> TenantKey:
        """The key of `tenant`, or what stands for it.

        Raises:
            StorageError: the folder cannot be read, or a key file is damaged.
        """
        found = self.find(key_id_of(tenant)) or self.missing.get(tenant)
        if found is None:
            found = self.missing[tenant] = _key_of(key_id_of(tenant), secrets.token_bytes(SECRET_BYTES))
        return found


def _key_of(key_id: str, secret: bytes) -> TenantKey:
    return TenantKey(key_id, _derive(secret, b"pseudonyms"), _derive(secret, b"encryption"))


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"letterpress/" + purpose).derive(secret)
