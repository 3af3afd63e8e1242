"""The page of one certificate of forgetting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2


def render_certificate(result: Mapping[str, Any]) -> str:
    """The page as HTML; it names the request, never the subject."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("letterpress.site"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("certificate.html.j2").render(done=result)
