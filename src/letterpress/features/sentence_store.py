"""Sentence vectors kept between processes, so that a text costs its 10 ms once a home and not once a command.

One file holds them, named after what computes them: another model or another way of pooling finds nothing of
the old one. A text is known by its SHA-256, so the file holds no text. It is a cache: deleting it costs time
and nothing else, and two processes that write at once lose what one of them added.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from letterpress.atomic_file import write_atomically

Floats = NDArray[np.float32]
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class SentenceStore:
    """Vectors by the SHA-256 of their text, read from `path` and written back when some were added."""

    path: Path
    vectors: dict[bytes, Floats] = field(default_factory=dict)
    added: int = 0

    @classmethod
    def open(cls, folder: Path, computed_by: str) -> SentenceStore:
        """What `folder` holds of vectors that `computed_by` gave; nothing where the file cannot be read."""
        path = folder / f"{hashlib.sha256(computed_by.encode()).hexdigest()[:16]}.npz"
        try:
            with path.open("rb") as stream, np.load(stream) as file:
                pairs = list(zip(file["keys"], file["vectors"], strict=True))
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            _LOG.warning("sentences are computed again: %s could not be read (%s)", path.name, error)
            return cls(path)
        return cls(path, {key.tobytes(): vector for key, vector in pairs})

    def get(self, text: str) -> Floats | None:
        """The vector of `text`, bit for bit as it was added; None where it is not known."""
        return self.vectors.get(_key(text))

    def add(self, vectors: Mapping[str, Floats]) -> None:
        """Remember the vectors of these texts; `save` writes them."""
        self.vectors |= {_key(text): vector for text, vector in vectors.items()}
        self.added += len(vectors)

    def save(self) -> None:
        """Write the file anew when something was added."""
        if not self.added:
            return
        content = io.BytesIO()
        keys = np.frombuffer(b"".join(self.vectors), np.uint8).reshape(len(self.vectors), -1)
        np.savez(content, keys=keys, vectors=np.stack(list(self.vectors.values())))
        write_atomically(self.path, content.getvalue(), is_durable=False)
        self.added = 0


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


_FOLDER: ContextVar[Path | None] = ContextVar("sentences", default=None)


@contextmanager
def keep_sentences(folder: Path) -> Iterator[None]:
    """Within it, sentence vectors are looked up in `folder`, and new ones are kept there."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def open_store(computed_by: str) -> SentenceStore | None:
    """The store that `keep_sentences` names; None outside of it."""
    folder = _FOLDER.get()
    return None if folder is None else SentenceStore.open(folder, computed_by)
