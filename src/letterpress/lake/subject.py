"""Who is to be forgotten, and how that is written down without writing down who it was."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from letterpress.atomic_file import sync_path
from letterpress.errors import StorageError, UsageError
from letterpress.settings import Home

_SECRET_BYTES = 32
_LONGEST = 200
SHORTEST = 4
"""Names of fewer bytes are everyday words: they are neither overwritten nor searched for in texts."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A tenant with everything of it, or a recipient: of one tenant, or of every one when none is named."""

    tenant: str | None = None
    recipient: str | None = None

    def __post_init__(self) -> None:
        named = [each for each in (self.tenant, self.recipient) if each is not None]
        if not named or not all(1 <= len(each) <= _LONGEST for each in named):
            raise UsageError(
                f"expected a tenant, a recipient or both, of 1 to {_LONGEST} characters each; name whom to "
                "forget by --tenant and --recipient."
            )

    @property
    def kind(self) -> str:
        return "tenant" if self.recipient is None else "recipient"

    @property
    def words(self) -> tuple[str, ...]:
        """What betrays the subject in a text."""
        return (self.tenant or "",) if self.recipient is None else (self.recipient,)

    @property
    def spellings(self) -> frozenset[str]:
        """The words, and how an address among them may have been written besides."""
        addresses = {each for word in self.words if "@" in word for each in (word, word.lower())}
        return frozenset(self.words) | addresses | {each.replace("@", "%40") for each in addresses}

    def is_named_in(self, content: bytes) -> bool:
        """Whether `content` holds a word of the subject that does not continue on either side."""
        return any(pattern.search(content) for pattern in self.patterns())

    def patterns(self) -> list[re.Pattern[bytes]]:
        """Finds the subject in bytes: as UTF-8 and as JSON escapes it."""
        forms = {form for word in self.spellings for form in (word.encode(), json.dumps(word)[1:-1].encode())}
        return [re.compile(rb"(?<![\w])" + re.escape(form) + rb"(?![\w])") for form in sorted(forms)]


def forgetting_folder(home: Home) -> Path:
    """Holds the secret of the certificates; nothing in it names anybody."""
    return home.root / "forgetting"


def request_id(home: Home, subject: Subject) -> str:
    """The same 32 hex digits for the same subject in this home; nobody gets back from them to the subject.

    Raises:
        StorageError: the secret cannot be read or made.
    """
    text = json.dumps([subject.tenant, subject.recipient])
    return hmac.digest(_secret(home), text.encode(), hashlib.sha256).hex()[:32]


def _secret(home: Home) -> bytes:
    """This home's secret, made on first use and complete before it has its name."""
    path = forgetting_folder(home) / "secret"
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            staged = path.with_name(f".secret.{os.getpid()}")
            staged.write_bytes(secrets.token_bytes(_SECRET_BYTES))
            staged.chmod(0o600)
            sync_path(staged)
            try:
                path.hardlink_to(staged)  # unlike a rename it never replaces one that is in use
            except FileExistsError:
                pass
            finally:
                staged.unlink()
            sync_path(path.parent)
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"expected to read and write {path}, found: {error.strerror}. Give this user the folder and run "
            "again; nothing was changed."
        ) from error
