"""What the service shall serve: one pointer file a recommender, `registry/serving/<recommender>.json`.

The service watches the folder. A pointer is written by atomic rename, after the bundle that it names was
read back and verified, so a reader never follows it to something half written.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.clock import Clock
from letterpress.errors import StorageError
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.feature_use import feature_shares
from letterpress.registry.features_in_use import note_features_in_use
from letterpress.settings import Home


class Publication(msgspec.Struct, kw_only=True, frozen=True):
    """One pointer."""

    model: str
    """`recommender/version`."""
    bundle: str
    """Folder of the bundle, relative to the home."""
    sha256: str
    """Of the bundle's manifest, which vouches for its other files."""
    bento: str | None
    """Tag of the Bento that carries the bundle."""
    published_at: str

    @property
    def recommender(self) -> str:
        return self.model.rpartition("/")[0]

    @property
    def version(self) -> int:
        return int(self.model.rpartition("/")[2])

    def open_bundle(self, home: Home) -> ModelBundle:
        """The bundle that the pointer names, verified against the pointer's checksum."""
        return ModelBundle.load(home.root / self.bundle, sha256=self.sha256)


def pointer_folder(home: Home) -> Path:
    """Folder of the pointers; the service watches it."""
    return home.registry / "serving"


def publish(
    home: Home, *, recommender: str, version: int, bento: str | None, bundle: Path, clock: Clock
) -> Publication:
    """Point the service at `bundle`; the pointer that says the same already is left as it is.

    Raises:
        ModelRefusedError: the bundle is damaged; the old pointer stays.
        StorageError: there is no bundle, or it is another recommender's.
    """
    model = ModelBundle.load(bundle)
    if model.manifest.recommender != recommender:
        raise StorageError(
            f"expected a bundle of {recommender}, found one of {model.manifest.recommender} in {bundle}; "
            "run `letterpress status` to see which models exist."
        )
    publication = Publication(
        model=f"{recommender}/{version}",
        bundle=bundle.resolve().relative_to(home.root.resolve()).as_posix(),
        sha256=model.sha256,
        bento=bento,
        published_at=clock.now().isoformat(),
    )
    old = published(home).get(recommender)
    if old is not None and msgspec.structs.replace(old, published_at=publication.published_at) == publication:
        return old
    note_features_in_use(
        home,
        recommender,
        [name for name, share in feature_shares(model.manifest).items() if share],
        model=publication.model,
        published_at=publication.published_at,
    )
    text = msgspec.json.format(msgspec.json.encode(publication), indent=2)
    write_atomically(pointer_folder(home) / f"{recommender}.json", text + b"\n")
    return publication


def published(home: Home) -> dict[str, Publication]:
    """All pointers by recommender; empty when nothing was published.

    Raises:
        StorageError: a pointer cannot be read.
    """
    return {path.stem: read_pointer(path) for path in sorted(pointer_folder(home).glob("[!.]*.json"))}


def read_pointer(path: Path) -> Publication:
    """The pointer in `path`.

    Raises:
        StorageError: it is not a pointer.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Publication)
    except msgspec.DecodeError as error:
        raise StorageError(
            f"{path}: expected a pointer to a model, found {error}; "
            f"run `letterpress promote --recommender {path.stem}` to write it again."
        ) from error
