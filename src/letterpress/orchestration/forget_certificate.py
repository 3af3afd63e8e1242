"""The certificate of a forgetting: JSON for the file, a page for people, and nobody's name in either."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.settings import Home
from letterpress.site.certificate_page import render_certificate

FOLDER = "forgetting"


def existing_certificate(home: Home, request: str) -> Path | None:
    """The newest certificate of the request; None when it has none."""
    found = sorted((home.site / FOLDER).glob(f"{request}-*.json"))
    return found[-1] if found else None


def write_certificate(home: Home, result: Mapping[str, Any]) -> Path:
    """Write the certificate of one run, numbered among those of the request; the page's path."""
    request, folder = str(result["request"]), home.site / FOLDER
    number = 1
    while (path := folder / f"{request}-{number:03d}.json").exists():
        if msgspec.json.decode(path.read_bytes())["started_at"] == result["started_at"]:
            break  # the run that was killed after it had written this
        number += 1
    text = msgspec.json.format(msgspec.json.encode(result), indent=2)
    page = path.with_suffix(".html")
    write_atomically(page, render_certificate(result).encode())
    write_atomically(path, text + b"\n")
    return page


def list_certificates(home: Home) -> list[str]:
    """Pages of all certificates, relative to the site."""
    return [f"{FOLDER}/{path.name}" for path in sorted((home.site / FOLDER).glob("*.html"))]
