from pathlib import Path

from letterpress.site.index_page import RecommenderState, SiteState, render_index, write_site

BARE = RecommenderState(name="image_enhancement", description="Ranks pictures.")


def state_of(*recommenders: RecommenderState, **more: object) -> SiteState:
    return SiteState(built_at="2026-01-19T05:00:00+00:00", links=[], recommenders=recommenders, **more)  # type: ignore[arg-type]


def test_an_empty_platform_says_what_is_missing() -> None:
    page = render_index(state_of(BARE))

    assert "nothing is served yet" in page
    assert "No challenger was judged yet" in page
    assert "Nothing was ingested yet" in page
    assert "No gate has run yet" in page


def test_what_is_served_is_named_with_its_time() -> None:
    serving = {"model": "image_enhancement/3", "published_at": "2026-01-19T05:12:00+00:00"}
    page = render_index(state_of(RecommenderState(name="r", description="d", serving=serving)))

    assert "image_enhancement/3" in page
    assert "since 19 Jan 2026, 05:12 UTC" in page


def test_a_refusal_is_shown_with_its_reason_escaped() -> None:
    verdict = {
        "model": "image_enhancement/2",
        "champion": "image_enhancement/1",
        "promoted": False,
        "reason": "gain < bar & thin",
        "numbers": {"metric": "ndcg@8"},
        "judged_at": "2026-01-19T05:00:00+00:00",
    }
    page = render_index(state_of(RecommenderState(name="r", description="d", verdicts=[verdict])))

    assert "<strong>Refused</strong>" in page
    assert "gain &lt; bar &amp; thin" in page


def test_lines_that_were_put_aside_are_counted_with_their_reasons() -> None:
    counts = {"files": 1, "read": 1000, "raw": 989, "duplicate": 1, "quarantined": 10}
    ingest = {"total": counts, "last": counts | {"ingested_at": None}, "reasons": {"not_json": 10}}
    page = render_index(state_of(BARE, ingest=ingest))

    assert "10 <small>1.0%</small>" in page
    assert "not json (10)." in page


def test_a_tenant_whose_log_is_behind_is_named_with_the_time_up_to_which_it_is_complete() -> None:
    counts = {"files": 1, "read": 3, "raw": 3, "duplicate": 0, "quarantined": 0}
    ingest = {"total": counts, "last": counts | {"ingested_at": None}, "reasons": {}}
    marks = {"alder & sons": "2026-01-02T00:00:00+00:00", "fern": "2026-01-05T12:00:00+00:00"}
    page = render_index(state_of(BARE, ingest=ingest, watermarks=marks, tenants_left_out=1))

    assert '<th scope="row">alder &amp; sons</th><td>2 Jan 2026, 00:00 UTC</td>' in page
    assert page.index("alder") < page.index("fern")
    assert "And 1 more" in page


def test_the_page_loads_nothing_but_its_own_style(tmp_path: Path) -> None:
    page = write_site(tmp_path, state_of(BARE)).read_text()

    assert page.count('rel="stylesheet"') == 1
    assert "<script" not in page
    assert (tmp_path / "letterpress.css").stat().st_size > 0
