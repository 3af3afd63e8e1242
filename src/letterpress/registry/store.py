"""Versions of models and their aliases, kept by MLflow in SQLite and reached without its server.

A version points at a bundle folder. Its lineage (snapshot, schema, rows) is in tags, and so is the
bundle's checksum, which makes registering idempotent. Aliases: `champion` is what is served,
`challenger` is what was trained last.
"""

from __future__ import annotations

import fcntl
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from letterpress.errors import LetterpressError, ModelRefusedError, NotYetThereError, StorageError
from letterpress.ranking.bundle import ModelBundle
from letterpress.settings import Home, silence_telemetry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

Alias = Literal["champion", "challenger"]
SHA_TAG, BUNDLE_TAG, REPLACED_TAG, ROLLED_BACK_TAG = "sha256", "bundle", "replaced", "rolled_back"
METRIC_PREFIX = "metric."
DATABASE = "mlflow.db"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """One version of a recommender's model."""

    recommender: str
    version: int
    bundle: Path
    sha256: str
    aliases: tuple[str, ...]
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How the model is called everywhere: `recommender/version`."""
        return f"{self.recommender}/{self.version}"

    @property
    def replaced(self) -> int | None:
        """The champion that this one took over from."""
        return int(self.tags[REPLACED_TAG]) if REPLACED_TAG in self.tags else None

    @property
    def was_rolled_back(self) -> bool:
        return ROLLED_BACK_TAG in self.tags

    def open_bundle(self) -> ModelBundle:
        """The bundle, verified against the registered checksum."""
        return ModelBundle.load(self.bundle, sha256=self.sha256)


@contextmanager
def registry_lock(home: Home) -> Iterator[None]:
    """Only one process changes the registry at a time; the others wait."""
    home.registry.mkdir(parents=True, exist_ok=True)
    with (home.registry / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _database_errors() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import DBAPIError

    return DBAPIError, MlflowException


def _says_what_broke[**P, T](step: Callable[P, T]) -> Callable[P, T]:
    """`step`, whose database errors are our StorageError: a sentence instead of MLflow's SQL."""

    @wraps(step)
    def said(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return step(*args, **kwargs)
        except LetterpressError:
            raise
        except _database_errors() as error:
            found = str(error).partition("\n")[0]
            raise StorageError(
                f"expected to read and write {DATABASE} of the registry, found: {found}. Nothing was lost; "
                "see that its disk has room and that nobody else changes it, and run again."
            ) from error

    return said


@lru_cache(maxsize=1)
def _client_of(uri: str) -> MlflowClient:
    silence_telemetry()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy's and pydantic's, about MLflow's own tables and models
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _client(home: Home) -> MlflowClient:
    """MLflow's client; the first one in a new home creates the tables, which takes some seconds."""
    home.registry.mkdir(parents=True, exist_ok=True)
    if not _exists(home):
        _create_database(home)
    return _client_of(f"sqlite:///{home.registry.resolve()}/{DATABASE}")


def _create_database(home: Home) -> None:
    """Make the tables aside: MLflow cannot go on with a database that was left half made."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=home.registry.resolve()) as folder:
        aside = Path(folder) / DATABASE
        _client_of(f"sqlite:///{aside}").search_registered_models()
        if not _exists(home):
            aside.rename(home.registry / DATABASE)


def _exists(home: Home) -> bool:
    return (home.registry / DATABASE).exists()


def _ensure_recommender(client: MlflowClient, recommender: str) -> None:
    if not client.search_registered_models(f"name = '{recommender}'"):
        client.create_registered_model(recommender)


def _as_model(home: Home, found: ModelVersion, aliases: Mapping[str, int]) -> RegisteredModel:
    tags = dict(found.tags)
    version = int(found.version)
    return RegisteredModel(
        recommender=found.name,
        version=version,
        bundle=home.root / tags.pop(BUNDLE_TAG),
        sha256=tags.pop(SHA_TAG),
        aliases=tuple(sorted(alias for alias, named in aliases.items() if int(named) == version)),
        tags=tags,
    )


@_says_what_broke
def versions(home: Home, recommender: str) -> list[RegisteredModel]:
    """All versions, oldest first; empty when there are none."""
    if not _exists(home):
        return []
    client = _client(home)
    registered = client.search_registered_models(f"name = '{recommender}'")
    if not registered:
        return []
    aliases = registered[0].aliases
    found: list[ModelVersion] = []
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{recommender}'", page_token=token)
        found += page
        token = page.token
        if not token:
            break
    return sorted((_as_model(home, each, aliases) for each in found), key=lambda model: model.version)


def model_version(home: Home, recommender: str, version: int) -> RegisteredModel:
    """That version.

    Raises:
        NotYetThereError: there is none; the message lists those that exist.
    """
    known = versions(home, recommender)
    for model in known:
        if model.version == version:
            return model
    names = ", ".join(str(model.version) for model in known) or "none"
    raise NotYetThereError(
        f"expected {recommender}/{version} in the registry, found versions: {names}. "
        "Run `letterpress status` to see them."
    )


def with_alias(home: Home, recommender: str, alias: Alias) -> RegisteredModel | None:
    """The version that carries `alias`, or None."""
    return next((model for model in versions(home, recommender) if alias in model.aliases), None)


def champion(home: Home, recommender: str) -> RegisteredModel | None:
    """The version that is served, or None before the first release."""
    return with_alias(home, recommender, "champion")


@_says_what_broke
def register(
    home: Home,
    recommender: str,
    bundle_dir: Path,
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> int:
    """The version of the bundle; a bundle that is registered already keeps the version that it has.

    Raises:
        ModelRefusedError: the bundle is damaged, or it is another recommender's.
    """
    bundle = ModelBundle.load(bundle_dir)
    if bundle.manifest.recommender != recommender:
        raise ModelRefusedError(
            f"expected a bundle of {recommender}, found one of {bundle.manifest.recommender} in {bundle_dir}."
        )
    with registry_lock(home):
        for model in versions(home, recommender):
            if model.sha256 == bundle.sha256:
                return model.version
        client = _client(home)
        _ensure_recommender(client, recommender)
        relative = bundle_dir.resolve().relative_to(home.root.resolve()).as_posix()
        lineage = {
            SHA_TAG: bundle.sha256,
            BUNDLE_TAG: relative,
            "kind": bundle.manifest.kind,
            "snapshot": bundle.manifest.snapshot,
            "schema_hash": bundle.manifest.schema_hash,
        }
        measured = {f"{METRIC_PREFIX}{name}": f"{value:.6g}" for name, value in metrics.items()}
        made = client.create_model_version(
            recommender, source=str(bundle_dir.resolve()), tags={**tags, **measured, **lineage}
        )
        return int(made.version)


@_says_what_broke
def set_alias(home: Home, recommender: str, alias: Alias, version: int) -> None:
    """Give `alias` to that version and take it from any other."""
    _client(home).set_registered_model_alias(recommender, alias, str(version))


@_says_what_broke
def make_champion(
    home: Home, recommender: str, version: int, *, instead_of: str | None = None
) -> RegisteredModel:
    """Let `version` be the champion and remember whom it replaced; nothing changes when it is already.

    Raises:
        ModelRefusedError: the champion to take over from is not the one called `instead_of` (`none`: no
            champion): somebody else released or rolled back meanwhile.
    """
    with registry_lock(home):
        old = champion(home, recommender)
        if old is None or old.version != version:
            standing = "none" if old is None else old.name
            if instead_of not in (None, standing):
                raise ModelRefusedError(
                    f"{recommender}/{version} was to take over from {instead_of}, but the champion is now "
                    f"{standing}; run `letterpress evaluate --recommender {recommender} --version {version}`."
                )
            if old is not None:
                _client(home).set_model_version_tag(recommender, str(version), REPLACED_TAG, str(old.version))
            set_alias(home, recommender, "champion", version)
        return model_version(home, recommender, version)


@_says_what_broke
def restore_previous(home: Home, recommender: str) -> tuple[RegisteredModel, RegisteredModel]:
    """Make the replaced champion the champion again; returns the one taken back and the one restored.

    Raises:
        NotYetThereError: there is no champion, or it replaced nobody.
    """
    with registry_lock(home):
        current = champion(home, recommender)
        if current is None or current.replaced is None:
            found = "none" if current is None else f"{current.name}, which replaced nobody"
            raise NotYetThereError(
                f"{recommender}: expected an earlier champion to return to, found {found}; nothing changed. "
                "`letterpress status` shows which models there are."
            )
        previous = model_version(home, recommender, current.replaced)
        previous.open_bundle()
        client = _client(home)
        client.set_model_version_tag(
            recommender, str(current.version), ROLLED_BACK_TAG, str(previous.version)
        )
        set_alias(home, recommender, "champion", previous.version)
        return current, model_version(home, recommender, previous.version)
