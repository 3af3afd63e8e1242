"""dbt's documentation in a real browser, without one request to the outside."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from letterpress.orchestration.build_features import write_manifest
from letterpress.orchestration.build_site import build_site
from letterpress.orchestration.dbt_docs import publish_dbt_docs
from letterpress.settings import Settings


def test_a_model_is_described_with_its_types(settings: Settings, open_page: Callable[..., Page]) -> None:
    publish_dbt_docs(settings, write_manifest(settings))
    build_site(settings)
    page = open_page(settings.paths.site, "index.html")

    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="From the raw log to features")).to_be_visible()
    page.goto(f"{page.url.partition('#')[0]}#!/model/model.letterpress.fct_email_scores")

    expect(page.get_by_role("heading", name="fct_email_scores")).to_be_visible()
    row = page.locator("tr", has_text="norm_clicked").first
    expect(row).to_contain_text("double")
