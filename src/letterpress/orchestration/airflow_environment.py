"""The environment that Airflow's processes run in, made from our settings and nothing else.

Every server listens on loopback: Airflow's API server takes 0.0.0.0 unless it is told otherwise, and its
log server always does, so that one is left out (its logs are read over REST all the same). Cosmos keeps
its cache in a folder that all projects of a machine share unless it is told otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import quote

from letterpress.atomic_file import write_atomically
from letterpress.settings import Settings, child_environment

WAREHOUSE_POOL = "warehouse"
"""One slot: DuckDB has one writer, and a writer locks readers of the file out (ADR 0002)."""

SECRET_BYTES = 64  # shorter ones make every Airflow process warn


def airflow_url(settings: Settings) -> str:
    """Where the UI and the REST API answer."""
    return f"http://{settings.airflow.host}:{settings.airflow.port}"


def airflow_password(settings: Settings) -> str:
    """The password of the UI: as set, else the one made up at the first start."""
    if settings.airflow.password is not None:
        return settings.airflow.password.get_secret_value()
    return _secret(settings.paths.airflow / "secrets" / "password", size=12)


def airflow_environment(settings: Settings) -> dict[str, str]:
    """What `airflow ...` needs; writes the secrets and the user's password file when they are missing."""
    folder = settings.paths.airflow
    passwords = folder / "secrets" / "passwords.json"
    wanted = json.dumps({settings.airflow.user: airflow_password(settings)}).encode()
    if not passwords.exists() or passwords.read_bytes() != wanted:
        write_atomically(passwords, wanted, mode=0o600)
    return child_environment(settings, AIRFLOW_HOME=str(folder), **_options(settings, folder, passwords))


def _options(settings: Settings, folder: Path, passwords: Path) -> dict[str, str]:
    url = airflow_url(settings)
    return {
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.project.resolve() / "dags"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(settings.airflow.parallelism),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{settings.airflow.user}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{quote(str(folder / 'airflow.db'))}",
        "AIRFLOW__API__HOST": settings.airflow.host,
        "AIRFLOW__API__PORT": str(settings.airflow.port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": _secret(folder / "secrets" / "api"),
        "AIRFLOW__API_AUTH__JWT_SECRET": _secret(folder / "secrets" / "jwt"),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__OPENLINEAGE__DISABLED": "True",
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "letterpress",
        "AIRFLOW__COSMOS__CACHE_DIR": str(folder / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "DO_NOT_TRACK": "1",
    }


def _secret(path: Path, *, size: int = SECRET_BYTES) -> str:
    """The secret kept at `path`, made on first use and readable by its owner only.

    It appears whole, by a link: a full disk leaves no empty secret, and of two first uses one wins.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:  # mode 0600
            file.write(secrets.token_urlsafe(size))
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # somebody was quicker
                path.hardlink_to(file.name)
    return path.read_text(encoding="ascii")
