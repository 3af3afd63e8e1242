"""The settings, read once at the entry point and passed down; nobody else reads the environment.

`LETTERPRESS_HOME=/somewhere`, `LETTERPRESS_SERVICE__PORT=3000`, ...: a name that is not known is
refused, because a misspelt setting that is silently ignored costs an afternoon.
"""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableError

from letterpress.errors import SettingsError

PREFIX = "LETTERPRESS_"
DELIMITER = "__"
READ_BY_SETUP = f"{PREFIX}PYTHON"
"""Names the interpreter that `.ci/setup` makes the environment with; it means nothing here."""
UNFIT_FOR_PATHS = "'$*?[]{}%#"
"""What has a meaning of its own in one of the places where paths go: SQL, patterns, addresses, templates."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Home(_Section):
    """Where state lives. Deleting `root` resets everything."""

    root: Path
    keys_folder: Path | None = None
    """Where the tenants' keys lie when that is not below `root`."""

    @property
    def keys(self) -> Path:
        """One secret a tenant, outside the lake: whoever copies the lake does not get them (ADR 0014)."""
        return self.keys_folder or self.root / "keys"

    @property
    def clock(self) -> Path:
        """Says what time it is in this home when that is not the wall clock's; see `ScaledClock`."""
        return self.root / "clock.json"

    @property
    def landing(self) -> Path:
        """Files that arrived and are not yet in raw; `landing/service/` is the service's own log."""
        return self.root / "landing"

    @property
    def live(self) -> Path:
        """What the workers of the service let each other know, as long as no snapshot holds it."""
        return self.root / "live"

    @property
    def quarantine(self) -> Path:
        """Lines that could not be read, with their reasons."""
        return self.root / "quarantine"

    @property
    def raw(self) -> Path:
        """Parquet: `raw/recommender=R/hour=YYYY-MM-DDTHH/<event type>.parquet`; old days have no `THH`."""
        return self.root / "raw"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file; one process writes it (ADR 0002)."""
        return self.root / "warehouse.duckdb"

    @property
    def snapshots(self) -> Path:
        """Published features and training sets, one folder a build; `current.json` names the newest."""
        return self.root / "snapshots"

    @property
    def registry(self) -> Path:
        """MLflow's store, model bundles, Bentos, and `serving/`: what the service shall serve."""
        return self.root / "registry"

    @property
    def sentences(self) -> Path:
        """Sentence vectors of texts that were met before; a cache."""
        return self.root / "sentences"

    @property
    def airflow(self) -> Path:
        return self.root / "airflow"

    @property
    def site(self) -> Path:
        """Static pages: index, data docs, model cards."""
        return self.root / "site"

    @property
    def log(self) -> Path:
        """What processes print, and their process ids."""
        return self.root / "log"


class ServiceSettings(_Section):
    """The ranking service."""

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    token: SecretStr | None = Field(
        default=None, min_length=1, description="Bearer token that requests must carry; open when not set"
    )
    max_items: int = Field(
        default=1000, ge=1, le=1000, description="most items of a request; no more fit into a logged slate"
    )
    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    audit_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="share of slates that are logged with all that the audit of features needs",
    )
    audit_vectors_per_hour: int = Field(
        default=200,
        ge=0,
        description="the first slates of every hour are logged so too, until a worker has so many items",
    )
    log_flush_seconds: float = Field(default=0.1, gt=0)
    log_rotate_seconds: float = Field(default=5.0, gt=0, description="age at which a log file is landed")

    @model_validator(mode="after")
    def _stay_on_loopback_without_a_token(self) -> Self:
        if self.token is None and self.host not in LOOPBACK:
            raise ValueError(f"with host {self.host} a token is needed: set LETTERPRESS_SERVICE__TOKEN")
        return self


class AirflowSettings(_Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    user: str = "admin"
    password: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="of the UI; made up at the first start and kept in the state folder",
    )
    parallelism: int = Field(default=4, ge=1, description="tasks that may run at once")


class SiteSettings(_Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)


class FeatureSettings(_Section):
    """How features are made. A change needs `letterpress features --full-refresh`."""

    publication_lag_hours: int = Field(
        default=0,
        ge=0,
        le=24 * 28,
        description="hours from an hour's end until its snapshot serves, where no features were logged",
    )


class RetentionSettings(_Section):
    """How many days events stay in raw, by their type, counted from when they happened; not set: for ever."""

    item_days: int | None = Field(default=None, ge=1)
    campaign_days: int | None = Field(default=None, ge=1)
    slate_days: int | None = Field(default=None, ge=1)
    interaction_days: int | None = Field(default=None, ge=1)
    outcome_days: int | None = Field(default=None, ge=1)
    identifier_days: int | None = Field(
        default=90,
        ge=1,
        description="of recipients, builders and sessions (keyed hashes): the event stays, without them",
    )


class Settings(BaseSettings):
    """All settings. Make them with `read_settings()`, which turns mistakes into sentences."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, frozen=True, extra="forbid"
    )

    home: Path = Field(default=Path("var"), description="folder that holds all state")
    keys: Path | None = Field(
        default=None, description="folder with one secret a tenant; keys/ in the home when not set"
    )
    project: Path = Field(
        default=Path(__file__).resolve().parents[2],
        description="checkout that holds dags/, dbt/, expectations/ and bentos/",
    )
    reference_data: Path | None = Field(
        default=None, description="folder with the reference data; ../shared/data when not set"
    )
    threads: int = Field(default=2, ge=1, description="threads for DuckDB and XGBoost")
    build_memory: str = Field(
        default="4GB",
        pattern=r"^[1-9]\d*(MB|GB)$",
        description="what DuckDB may hold while the marts are built; beyond that it spills to the disk",
    )
    build_part_slates: int | None = Field(
        default=None,
        ge=1,
        description="slates that are brought together with their reactions at once; 100,000 for each "
        "gigabyte of build_memory when not set",
    )
    training_memory: str = Field(
        default="4GB",
        pattern=r"^[1-9]\d*(MB|GB)$",
        description="what the features of a training set may hold; beyond that trees grow from the disk",
    )
    seed: int = Field(default=7, ge=0)
    lateness_hours: float = Field(
        default=72.0, ge=0, description="how late events may come before a tenant's log is taken for complete"
    )
    compact_after_days: int = Field(
        default=3,
        ge=1,
        description="days from the end of a day to the last event before the day's files become one",
    )
    features: FeatureSettings = FeatureSettings()
    service: ServiceSettings = ServiceSettings()
    airflow: AirflowSettings = AirflowSettings()
    site: SiteSettings = SiteSettings()
    retention: RetentionSettings = RetentionSettings()

    @field_validator("home")
    @classmethod
    def _is_a_folder_with_a_plain_path(cls, home: Path) -> Path:
        path = home.expanduser().resolve()
        unfit = sorted(set(str(path)) & set(UNFIT_FOR_PATHS))
        if unfit:
            raise ValueError(
                f"expected a path without {' '.join(UNFIT_FOR_PATHS)} for {path}, which has {' '.join(unfit)}"
            )
        if path.exists() and not path.is_dir():
            raise ValueError(f"expected a folder at {path}, or nothing yet")
        return home.expanduser()

    @property
    def paths(self) -> Home:
        keys = None if self.keys is None else self.keys.expanduser().resolve()
        return Home(root=self.home.resolve(), keys_folder=keys)


def size_in_bytes(size: str) -> int:
    """The bytes of a size such as `4GB`.

    >>> size_in_bytes("512MB")
    536870912
    """
    return int(size[:-2]) * {"MB": 2**20, "GB": 2**30}[size[-2:]]


def child_environment(settings: Settings, **extra: str) -> dict[str, str]:
    """The environment for a program that we start: this process's own, with absolute folders.

    The virtual environment's programs come first on `PATH`, so that children find what we run on. They
    may keep compiled modules: without, each of them would compile its libraries anew, for seconds.
    """
    programs = str(Path(sys.executable).parent)
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    keys = {} if settings.keys is None else {f"{PREFIX}KEYS": str(settings.paths.keys)}
    return {
        **inherited,
        **keys,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        f"{PREFIX}HOME": str(settings.paths.root),
        f"{PREFIX}PROJECT": str(settings.project.resolve()),
        **extra,
    }


def _known_names() -> set[str]:
    names = {READ_BY_SETUP}
    for name, field in Settings.model_fields.items():
        annotation = field.annotation
        names.add(f"{PREFIX}{name}".upper())
        if isinstance(annotation, type) and issubclass(annotation, _Section):
            names |= {f"{PREFIX}{name}{DELIMITER}{part}".upper() for part in annotation.model_fields}
    return names


def read_settings(**overrides: object) -> Settings:
    """The settings from the environment, with `overrides` on top.

    Raises:
        SettingsError: an unknown `LETTERPRESS_` variable, or a value that does not fit.
    """
    known = _known_names()
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise SettingsError(f"expected a known setting, found {name}{hint} Unset it or correct its name.")
    if os.environ.get(f"{PREFIX}HOME") == "":
        raise SettingsError(
            f"expected {PREFIX}HOME to name a folder, found it empty. Unset it, or name the folder of state."
        )
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks what comes in
    except UnreadableError as error:
        raise SettingsError(
            f"expected a variable of its own for every part, e.g. {PREFIX}SERVICE{DELIMITER}PORT, found that "
            f"{PREFIX}SERVICE, {PREFIX}AIRFLOW, {PREFIX}SITE or {PREFIX}RETENTION is no JSON object. Unset "
            "it and run again."
        ) from error
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong; the value only of a single variable, as a section may hold secrets."""
    first = error.errors()[0]
    where = PREFIX + DELIMITER.join(str(part).upper() for part in first["loc"])
    found = f", found {first['input']!r}" if not isinstance(first["input"], dict) else ""
    text = first["msg"].removeprefix("Value error, ")
    return f"{where}: {text}{found}; correct the variable and run again."


def silence_telemetry() -> None:
    """Forbid libraries to report their use; called before they are imported, as some report on import."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")


def let_idle_threads_sleep() -> None:
    """Let OpenMP threads sleep while they wait; called before XGBoost is imported, which reads it once.

    On a machine that is shared, threads that spin cost four times the processor time of the work itself.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
