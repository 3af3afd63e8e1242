"""Keeps Great Expectations from loading what our suites never ask for.

Two of its hundred expectations need SciPy's statistics, which take a quarter of the time of its import: every
gate waits for that. They are loaded when something asks for them.
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

DEFERRED = "scipy.stats"


def defer_statistics() -> None:
    """Make the import of SciPy's statistics one that happens on first use. Doing it twice is harmless."""
    if DEFERRED in sys.modules:
        return
    package, _, name = DEFERRED.rpartition(".")
    spec = find_spec(DEFERRED)
    if spec is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[DEFERRED] = module
    setattr(sys.modules[package], name, module)
    spec.loader.exec_module(module)
