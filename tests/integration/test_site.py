"""The index page in a real browser, made from real state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from playwright.sync_api import Page

from letterpress.clock import ManualClock
from letterpress.evaluation.verdict import RankersOnTest, judge_by_ndcg
from letterpress.events.codec import REASONS, MalformedEventError
from letterpress.lake.ledger import FileEntry, FileReport, commit_batch, commit_requeue
from letterpress.lake.quarantine import QuarantineWriter, quarantine_path
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.orchestration.build_site import build_site
from letterpress.registry.verdicts import write_verdict
from letterpress.settings import Settings

OpenPage = Callable[..., Page]
CLOCK = ManualClock(datetime(2026, 1, 19, 5, tzinfo=UTC))


def put_aside(settings: Settings, report: FileReport, sha256: str) -> FileEntry:
    """The entry of a file whose bad lines lie in quarantine."""
    writer = QuarantineWriter(report.path, CLOCK.now(), TenantKeys(settings.paths.keys))
    for code, lines in report.reasons.items():
        for line in range(lines):
            writer.add(b"bad", line, MalformedEventError(code, None, REASONS[code]))
    path = quarantine_path(settings.paths, sha256)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(b"".join(line + b"\n" for line in writer.lines))
    return FileEntry(report, sha256=sha256, n_bytes=1)


@pytest.fixture
def judged(settings: Settings) -> Settings:
    """A home with one verdict and one ingest."""
    champion = np.random.default_rng(7).uniform(0.4, 0.6, 400)
    verdict = judge_by_ndcg(
        RankersOnTest(8, champion, champion, champion + 0.05, np.arange(400) // 4),
        epsilon=0.01,
        min_test_slates=10,
        min_test_campaigns=30,
        seed=7,
        rounds=200,
    )
    write_verdict(
        settings.paths, "image_enhancement", 2, champion="image_enhancement/1", verdict=verdict, clock=CLOCK
    )
    report = FileReport(
        path="day.jsonl", read=1000, raw=980, duplicate=5, quarantined=15, reasons={"not_json": 15}
    )
    entry = put_aside(settings, report, "0" * 64)
    latest = {"fern": CLOCK.now(), "alder": CLOCK.now() - timedelta(days=2)}
    commit_batch(settings.paths, [entry], {}, [], CLOCK.now(), latest=latest)
    return settings


def test_the_page_tells_verdict_and_log_with_their_numbers(judged: Settings, open_page: OpenPage) -> None:
    build_site(judged, CLOCK)
    page = open_page(judged.paths.site, "index.html")

    card = page.locator("article", has_text="Image enhancement")
    assert card.get_by_text("Promoted", exact=True).is_visible()
    assert card.locator("svg.chart").count() == 2
    assert card.get_by_text("lies above the bar").is_visible()
    row = page.locator("tr", has_text="last ingest")
    assert row.locator("td").all_inner_texts() == ["1,000", "980", "5", "15 1.5%"]
    marks = page.locator("table", has_text="taken for complete").locator("tbody tr").all_inner_texts()
    assert [mark.split("\t")[0] for mark in marks] == ["alder", "fern"], "the one that is behind is first"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_by_day_and_by_night(
    scheme: str, judged: Settings, open_page: OpenPage
) -> None:
    build_site(judged, CLOCK)
    page = open_page(judged.paths.site, "index.html", scheme=scheme)

    for selector in ("h1", ".lead", ".verdict strong", ".conclusion", "caption", "nav span"):
        assert contrast_of(page, selector) >= 4.5, selector


def test_every_link_is_reached_by_keyboard(judged: Settings, open_page: OpenPage) -> None:
    build_site(judged, CLOCK)
    page = open_page(judged.paths.site, "index.html")
    reached = set()
    for _ in range(page.locator("a, summary").count()):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent"))

    assert {"Airflow", "Ranking service", "API"} <= reached


def test_a_narrow_window_does_not_scroll_sideways(judged: Settings, open_page: OpenPage) -> None:
    build_site(judged, CLOCK)
    page = open_page(judged.paths.site, "index.html", width=390)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_empty_home_gives_a_page_that_says_so(settings: Settings, open_page: OpenPage) -> None:
    build_site(settings, CLOCK)
    page = open_page(settings.paths.site, "index.html")

    assert page.get_by_text("Nothing was ingested yet").is_visible()


def test_the_quarantine_page_counts_reasons_by_file_and_says_what_they_mean(
    judged: Settings, open_page: OpenPage
) -> None:
    report = FileReport(
        path="night.jsonl", read=10, raw=7, duplicate=0, quarantined=3, reasons={"not_utf8": 2, "not_json": 1}
    )
    entry = put_aside(judged, report, "1" * 64)
    masked = {("outcome", "recipient_id", "identifier"): 1200}
    commit_batch(judged.paths, [entry], {}, [], CLOCK.now(), masked=masked)
    taken_back = FileReport("night.jsonl", 10, 9, 0, 1, {"not_json": 1})
    put_aside(judged, taken_back, "1" * 64)
    commit_requeue(judged.paths, [("1" * 16, "not_utf8", 2)], [], CLOCK.now())
    build_site(judged, CLOCK)
    page = open_page(judged.paths.site, "index.html")
    page.get_by_role("link", name="Quarantine").click()

    assert page.get_by_role("heading", level=1).inner_text() == "Quarantine"
    row = page.locator("#reasons tr", has_text="not_json").locator("td")
    assert row.all_inner_texts() == [REASONS["not_json"], "16", "0"]
    row = page.locator("tr", has_text="night.jsonl").filter(has_text="not_utf8").locator("td")
    assert row.all_inner_texts()[:3] == ["not_utf8", "0", "2"]
    assert page.locator("tr", has_text="recipient_id").get_by_text("1,200").is_visible()
    for selector in ("h1", ".lead", "caption", "td", "nav span"):
        assert contrast_of(page, selector) >= 4.5, selector


def test_an_empty_quarantine_says_so(settings: Settings, open_page: OpenPage) -> None:
    build_site(settings, CLOCK)
    page = open_page(settings.paths.site, "quarantine.html", width=390)

    assert page.get_by_text("Quarantine is empty").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_catalogue_of_features_is_searched_and_fits_a_narrow_window(
    settings: Settings, open_page: OpenPage
) -> None:
    build_site(settings, CLOCK)
    page = open_page(settings.paths.site, "index.html", width=390)
    page.get_by_role("link", name="Features").click()

    assert page.get_by_text("No recommender uses").count() == 0
    everything = page.locator("tr[data-words]").count()
    page.get_by_role("searchbox").fill("Click RATE segment")
    shown = page.locator("tr[data-words]:visible")
    assert 0 < shown.count() < everything
    assert page.locator("#found").inner_text() == f"{shown.count()} found"
    assert all("segment" in text for text in shown.all_inner_texts())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for selector in ("h1", "th small", "td", "search label", "search output"):
        assert contrast_of(page, selector) >= 4.5, selector
    page.get_by_role("searchbox").fill("no such feature")
    assert page.locator("section.view:visible").count() == 0


def contrast_of(page: Page, selector: str) -> float:
    """Contrast of a text with its ground; of a page that is still loading, once its styles are there."""
    page.wait_for_load_state()
    return float(page.evaluate(CONTRAST, selector))


CONTRAST = """selector => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const part = [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
    };
    const element = document.querySelector(selector);
    let ground = element;
    while (ground.parentElement && numbers(getComputedStyle(ground).backgroundColor)[3] === 0) {
        ground = ground.parentElement;
    }
    const one = light(numbers(getComputedStyle(element).color));
    const two = light(numbers(getComputedStyle(ground).backgroundColor));
    return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
}"""
