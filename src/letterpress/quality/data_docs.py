"""Data docs: built by Great Expectations in a working folder, published with every file beside them.

The published site changes file by file through atomic renames, after all pages were localised: nobody
sees a page that asks the web for its styles, and a build that fails leaves the old site as it was.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from letterpress.atomic_file import write_atomically
from letterpress.errors import BrokenError, StorageError
from letterpress.quality.outside_links import ASSETS, copy_assets, localise_page
from letterpress.settings import Home, Settings

SITE_NAME = "data-docs"
RUNS_KEPT = 30
"""Runs of each gate whose pages are kept."""


def published_folder(home: Home) -> Path:
    """Where people read data docs."""
    return home.site / SITE_NAME


def working_folder(home: Home) -> Path:
    """Results of validations and the pages as Great Expectations wrote them."""
    return home.registry / "gates"


def installed_packages(settings: Settings) -> Path:
    """The `node_modules` with styles and scripts.

    Raises:
        StorageError: they are not installed.
    """
    packages = settings.project / ".cache" / "data_docs" / "node_modules"
    if not packages.is_dir():
        raise StorageError(f"expected the styles of data docs in {packages}, found none; run `make setup`.")
    return packages


@contextmanager
def one_builder(home: Home) -> Iterator[None]:
    """Gates may run at the same time; they write the site one after the other."""
    folder = working_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_pages(context: Any, identifiers: list[Any]) -> None:
    """Render the results `identifiers` and the index into the working folder; old runs are dropped."""
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

    _drop_old_runs(context)
    suites = [ExpectationSuiteIdentifier(name=suite.name) for suite in context.suites.all()]
    context.build_data_docs(resource_identifiers=[*identifiers, *suites])


def _drop_old_runs(context: Any) -> None:
    store = context.validation_results_store
    by_suite: dict[str, list[Any]] = {}
    for key in store.list_keys():
        by_suite.setdefault(key.expectation_suite_identifier.name, []).append(key)
    for keys in by_suite.values():
        keys.sort(key=lambda key: key.run_id.run_time, reverse=True)
        for key in keys[RUNS_KEPT:]:
            store.remove_key(key)


def publish_pages(settings: Settings) -> None:
    """Make the published site the same as the working one, with local styles.

    Raises:
        BrokenError: a page loads an address that is not known; nothing was changed.
    """
    home = settings.paths
    source, target = working_folder(home) / "pages", published_folder(home)
    packages = installed_packages(settings)
    changed = {
        path.relative_to(source).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(source.rglob("*.html"))
        if _is_newer(path, target / path.relative_to(source))
    }
    if not (source / "index.html").is_file():
        raise BrokenError(
            f"expected an index page in {source}, found none; remove that folder and run again."
        )
    localised = {page: localise_page(html, page) for page, html in changed.items()}
    copy_assets(packages, target)
    not_loaded = shutil.ignore_patterns("styles", "*.gif")
    shutil.copytree(source / "static", target / "static", dirs_exist_ok=True, ignore=not_loaded)
    for page, html in sorted(localised.items(), key=lambda entry: entry[0] == "index.html"):
        write_atomically(target / page, html.encode())
    _remove_dropped(source, target)


def _is_newer(path: Path, published: Path) -> bool:
    return not published.exists() or path.stat().st_mtime_ns >= published.stat().st_mtime_ns


def _remove_dropped(source: Path, target: Path) -> None:
    for page in target.rglob("*.html"):
        relative = page.relative_to(target)
        if relative.parts[0] != ASSETS and not (source / relative).exists():
            page.unlink()
