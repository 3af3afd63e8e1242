"""Turns the outside addresses of data-docs pages into files that lie beside them.

The pages name styles and scripts on the web; the same files come from the npm packages pinned under
`expectations/data_docs/`. An address that is not known here fails the build: a page that loads half of its
styles from the web is a page that breaks on the machine without one.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from letterpress.errors import BrokenError, StorageError

ASSETS = "assets"
"""Folder of the copied files, at the top of the site."""

LOGO = "static/images/logo-long.png"
"""The logo, which the site brings along."""

STYLE = "letterpress.css"
"""Our own few rules, beside this module as `data_docs.css`."""

CHARTS = "charts"
"""Stands for the chart scripts, which our pages do not need: their tags are dropped."""

_BOOTSTRAP = "bootstrap/dist"
_TABLE = "bootstrap-table/dist"
_FILTER = "extensions/filter-control/bootstrap-table-filter-control"
_PICKER = "bootstrap-datepicker/dist"
_ICONS = "@fortawesome/fontawesome-free"

KNOWN_ADDRESSES = {
    "maxcdn.bootstrapcdn.com/bootstrap/4.3.1/css/bootstrap.min.css": f"{_BOOTSTRAP}/css/bootstrap.min.css",
    "stackpath.bootstrapcdn.com/bootstrap/4.3.1/js/bootstrap.min.js": f"{_BOOTSTRAP}/js/bootstrap.min.js",
    "unpkg.com/bootstrap-table@1.19.1/dist/bootstrap-table.min.css": f"{_TABLE}/bootstrap-table.min.css",
    "unpkg.com/bootstrap-table@1.19.1/dist/bootstrap-table.min.js": f"{_TABLE}/bootstrap-table.min.js",
    "cdn.jsdelivr.net/npm/@forevolve/bootstrap-dark@1.1.0/dist/css/bootstrap-prefers-dark.css": (
        "@forevolve/bootstrap-dark/dist/css/bootstrap-prefers-dark.css"
    ),
    "cdnjs.cloudflare.com/ajax/libs/font-awesome/6.6.0/css/all.min.css": f"{_ICONS}/css/all.min.css",
    "cdnjs.cloudflare.com/ajax/libs/popper.js/1.12.9/umd/popper.min.js": "popper.js/dist/umd/popper.min.js",
    "code.jquery.com/jquery-3.7.1.min.js": "jquery/dist/jquery.min.js",
    "great-expectations-web-assets.s3.us-east-2.amazonaws.com/full_logo_dark.png": "",
    "great-expectations-web-assets.s3.us-east-2.amazonaws.com/logo-long.png": "",
    "cdn.jsdelivr.net/npm/vega@5": CHARTS,
    "cdn.jsdelivr.net/npm/vega-lite@5": CHARTS,
    "cdn.jsdelivr.net/npm/vega-embed@6": CHARTS,
} | {
    f"cdnjs.cloudflare.com/ajax/libs/bootstrap-datepicker/1.9.0/{path}": f"{_PICKER}/{path}"
    for path in ("css/bootstrap-datepicker.min.css", "js/bootstrap-datepicker.min.js")
} | {
    f"unpkg.com/bootstrap-table@{version}/dist/{_FILTER}.{end}": f"{_TABLE}/{_FILTER}.{end}"
    for version, end in (("1.19.0", "css"), ("1.19.0", "min.css"), ("1.19.1", "min.js"))
}  # fmt: skip
"""Address without scheme and query -> file in the npm packages; "" is the logo that the site itself has."""

_ICON_FONTS = tuple(
    f"{_ICONS}/webfonts/fa-{face}.woff2"
    for face in ("brands-400", "regular-400", "solid-900", "v4compatibility")
)
_LOADING_TAG = re.compile(
    r"<(?:link|script|img|iframe|source|object|embed)\b[^>]*>(?:\s*</script>)?", re.IGNORECASE
)
_ADDRESS = re.compile(r"""\b(src|href|data)\s*=\s*(["'])\s*((?:https?:)?//[^"']*)\2""", re.IGNORECASE)
_STYLE_ADDRESS = re.compile(r"""((?:url\(\s*|@import\s+)["']?)((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
_INTEGRITY = re.compile(r"""\s+(?:integrity|crossorigin)(?:\s*=\s*(?:"[^"]*"|'[^']*'))?""", re.IGNORECASE)


_BAR = '<div class="mr-auto">'
_FOOTER = re.compile(r"<footer>.*?</footer>", re.DOTALL)
_OWN_IMAGES = re.compile(r"(?:\.{1,2}/)+static/images/")


def copy_assets(packages: Path, site: Path) -> None:
    """Copy the files that pages may ask for from `packages` (a `node_modules`) to `site`/assets.

    Raises:
        StorageError: a file is not installed.
    """
    (site / ASSETS).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("data_docs.css"), site / ASSETS / STYLE)
    for name in sorted({*KNOWN_ADDRESSES.values(), *_ICON_FONTS} - {"", CHARTS}):
        source, target = packages / name, site / ASSETS / name
        if not source.is_file():
            raise StorageError(
                f"expected {name} among the styles of data docs, found none; run `make setup`."
            )
        if target.is_file() and target.stat().st_size == source.stat().st_size:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def localise_page(html: str, page: str) -> str:
    """`html` with every loaded address pointing beside it; `page` is its path within the site.

    Links that a person may click stay as they are: they load nothing by themselves.

    Raises:
        BrokenError: the page loads an address that is not known, or draws a chart.
    """
    if "vegaEmbed(" in html:
        raise BrokenError(
            f"{page}: expected no chart, found one; add the vega packages to expectations/data_docs and "
            "their addresses to outside_links.py."
        )
    upwards = "../" * page.count("/")
    tagged = _LOADING_TAG.sub(lambda tag: _localise_tag(tag[0], page, upwards), html)
    styled = _STYLE_ADDRESS.sub(lambda found: found[1] + _beside(found[2], page, upwards), tagged)
    return _fit_into_site(styled, upwards)


def _fit_into_site(html: str, upwards: str) -> str:
    """`html` with our style, a way back to the index page, no advertisement, and its icon found."""
    style = f'<link rel="stylesheet" href="{upwards}{ASSETS}/{STYLE}">\n</head>'
    back = f'{_BAR}\n<a class="letterpress-home" href="{upwards}../index.html">Letterpress</a>'
    without_footer = _FOOTER.sub("", html)
    with_images = _OWN_IMAGES.sub(f"{upwards}static/images/", without_footer)
    return with_images.replace("</head>", style, 1).replace(_BAR, back, 1)


def _localise_tag(tag: str, page: str, upwards: str) -> str:
    address = _ADDRESS.search(tag)
    if address is None:
        return tag
    local = _beside(address[3], page, upwards)
    if local == CHARTS:
        return ""
    return _INTEGRITY.sub("", tag.replace(address[0], f"{address[1]}={address[2]}{local}{address[2]}"))


def _beside(address: str, page: str, upwards: str) -> str:
    known = KNOWN_ADDRESSES.get(re.sub(r"^(?:https?:)?//|\?.*$", "", address))
    if known is None:
        raise _unknown(address, page)
    if known == CHARTS:
        return CHARTS
    return f"{upwards}{ASSETS}/{known}" if known else f"{upwards}{LOGO}"


def _unknown(address: str, page: str) -> BrokenError:
    return BrokenError(
        f"{page}: expected only addresses that are kept beside the site, found {address}; add its npm "
        "package to expectations/data_docs and the address to outside_links.py."
    )
