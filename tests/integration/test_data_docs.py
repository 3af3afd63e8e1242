"""Data docs in a real browser: styled, quiet, and without one request to the outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page

from letterpress.clock import ManualClock
from letterpress.events.types import AnyEvent, CampaignContext, ShownItem, Slate
from letterpress.lake.partitions import HourRange
from letterpress.quality.data_docs import publish_pages, published_folder, working_folder
from letterpress.quality.gate import check_raw_log, document_results
from letterpress.settings import Settings

OpenPage = Callable[..., Page]
WriteRaw = Callable[[Path, list[AnyEvent]], None]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")
HOURS = HourRange.parse("2026-01-05T03--2026-01-05T04")
PRIVATE = "a-value-that-nobody-may-read"


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory, write_raw: WriteRaw) -> Settings:
    """A home whose data docs tell of one slate with an impossible propensity."""
    settings = Settings(home=tmp_path_factory.mktemp("docs") / "var")
    at = datetime(2026, 1, 5, 3, 30, tzinfo=UTC)
    slate = Slate(
        event_id=PRIVATE,
        tenant=PRIVATE,
        recommender="image_enhancement",
        occurred_at=at,
        received_at=at,
        slate_id=PRIVATE,
        campaign=CampaignContext(campaign_id=PRIVATE),
        slot="hero",
        policy="explore",
        items=[ShownItem(item_id=PRIVATE, position=1, propensity=1.875)],
    )
    write_raw(settings.paths.raw, [slate])
    result = check_raw_log(settings, HOURS, ManualClock(datetime(2026, 1, 6, tzinfo=UTC)))
    assert not result.passed
    assert document_results(settings) > 0
    assert document_results(settings) == 0
    return settings


def test_the_index_is_styled_and_lists_the_run(docs: Settings, open_page: OpenPage) -> None:
    page = open_page(published_folder(docs.paths), "index.html")

    assert page.get_by_role("cell", name="raw_slate_items", exact=True).is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.navbar')).position") == "sticky"
    assert page.evaluate("typeof jQuery.fn.bootstrapTable") == "function"
    assert page.get_by_text(f"raw_log.{HOURS.key}").first.is_visible()


def test_a_row_leads_to_its_page_which_says_why(docs: Settings, open_page: OpenPage) -> None:
    page = open_page(published_folder(docs.paths), "index.html")
    page.get_by_role("cell", name="raw_slate_items", exact=True).click()
    page.wait_for_url("**/validations/**")

    assert page.get_by_text("Estimators divide by the propensity").is_visible()
    assert page.get_by_text("(critical)").first.is_visible()
    assert "Failed" in page.locator("body").inner_text()
    card = page.locator(".card").first
    assert card.evaluate("element => getComputedStyle(element).borderTopStyle") == "solid"


def test_icons_come_from_a_font_beside_the_page(docs: Settings, open_page: OpenPage) -> None:
    page = open_page(published_folder(docs.paths), "index.html")

    assert page.evaluate(
        "document.fonts.ready.then(() => document.fonts.check('900 16px \"Font Awesome 6 Free\"'))"
    )


def test_no_page_shows_a_value_of_a_customer(docs: Settings) -> None:
    pages = [*published_folder(docs.paths).rglob("*.html"), *working_folder(docs.paths).rglob("*.json")]

    assert pages
    for path in pages:
        text = path.read_text()
        assert PRIVATE not in text
        assert "1.875" not in text


def test_a_page_that_was_dropped_leaves_the_site(docs: Settings) -> None:
    stale = working_folder(docs.paths) / "pages" / "validations" / "stale.html"
    stale.write_text("<html></html>")
    publish_pages(docs)
    published = published_folder(docs.paths) / "validations" / "stale.html"
    assert published.is_file()

    stale.unlink()
    publish_pages(docs)
    assert not published.exists()
