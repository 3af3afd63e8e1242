from pathlib import Path

import pytest

from letterpress.errors import BrokenError, StorageError
from letterpress.quality.outside_links import copy_assets, localise_page

STYLE = "https://maxcdn.bootstrapcdn.com/bootstrap/4.3.1/css/bootstrap.min.css"


def test_a_style_of_a_deep_page_is_found_from_the_top_of_the_site() -> None:
    html = localise_page(f'<link rel="stylesheet" href="{STYLE}"/>', "validations/raw_log/page.html")

    assert html == '<link rel="stylesheet" href="../../assets/bootstrap/dist/css/bootstrap.min.css"/>'


def test_a_script_loses_the_checksum_that_was_made_for_the_web() -> None:
    tag = (
        '<script src="https://stackpath.bootstrapcdn.com/bootstrap/4.3.1/js/bootstrap.min.js" '
        'integrity="sha384-abc" crossorigin="anonymous"></script>'
    )

    assert localise_page(tag, "index.html") == (
        '<script src="assets/bootstrap/dist/js/bootstrap.min.js"></script>'
    )


def test_chart_scripts_are_dropped_and_a_chart_is_refused() -> None:
    assert (
        localise_page('a<script src="https://cdn.jsdelivr.net/npm/vega@5"></script>b', "index.html") == "ab"
    )
    with pytest.raises(BrokenError, match="expected no chart"):
        localise_page("<script>vegaEmbed('#chart', {})</script>", "index.html")


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://elsewhere.example/x.js"></script>',
        '<script async src = "//elsewhere.example/x.js"></script>',
        "<IMG alt='' SRC='https://elsewhere.example/x.png'>",
        '<link rel="stylesheet" href="https://elsewhere.example/x.css">',
        "<style>a { background: url(https://elsewhere.example/x.png) }</style>",
        '<style>@import "https://elsewhere.example/x.css";</style>',
    ],
)
def test_an_address_that_is_not_known_fails_the_build(html: str) -> None:
    with pytest.raises(BrokenError, match=r"index\.html: expected .*, found (https:)?//elsewhere\.example/x"):
        localise_page(html, "index.html")


def test_the_query_of_the_logo_which_names_the_installation_goes_nowhere() -> None:
    logo = "https://great-expectations-web-assets.s3.us-east-2.amazonaws.com/logo-long.png?d=20260105&dataContextId=7"

    assert localise_page(f'<img src="{logo}">', "a/b.html") == '<img src="../static/images/logo-long.png">'


def test_a_link_that_a_person_may_click_stays() -> None:
    link = '<a href="https://greatexpectations.io">Great Expectations</a>'

    assert localise_page(link, "index.html") == link


def test_missing_packages_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="run `make setup`"):
        copy_assets(tmp_path / "node_modules", tmp_path / "site")
