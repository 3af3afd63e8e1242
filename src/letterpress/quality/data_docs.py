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


def undocumented(home: Home) -> list[Path]:
    """Results, relative to their folder and without an ending, that no page was built of."""
    folder = working_folder(home)
    results = {
        path.relative_to(folder / "results").with_suffix("") for path in folder.glob("results/**/*.json")
    }
    pages = folder / "pages" / "validations"
    return sorted(path for path in results if not _page_file(pages, path).is_file())


def _page_file(pages: Path, result: Path) -> Path:
    return pages / result.with_name(f"{result.name}.html")


def page_of_key(key: Any) -> str:
    """The page of a result within the site, whether it was built yet or not."""
    return f"validations/{result_path(key)}.html"


def result_path(key: Any) -> str:
    """Where a result is kept within the folder of results, without an ending."""
    return "/".join(key.to_tuple())


def build_pages(home: Home, context: Any) -> int:
    """Render the results that have no page, and the index, into the working folder; how many they were.

    Old runs are dropped.
    """
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

    _drop_old_runs(context)
    wanted = {path.as_posix() for path in undocumented(home)}
    keys = [key for key in context.validation_results_store.list_keys() if result_path(key) in wanted]
    suites = [ExpectationSuiteIdentifier(name=suite.name) for suite in context.suites.all()]
    context.build_data_docs(resource_identifiers=[*keys, *suites])
    return len(keys)


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
