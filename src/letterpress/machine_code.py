"""Compiles a loop over arrays to machine code, and keeps the code between starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from letterpress.log import logger


@cache
def compile_loop(
    loop: Callable[..., Any], try_it: Callable[[Callable[..., Any]], Any], cache_folder: Path | None = None
) -> Callable[..., Any]:
    """`loop`, compiled for the arguments that `try_it` calls it with.

    The code is kept in `cache_folder`, or beside the loop's own file when None. Where nothing can be
    written it is compiled anew in every process, which takes a second.
    """
    import numba

    if cache_folder is not None:
        numba.config.CACHE_DIR = str(cache_folder)
    try:
        if cache_folder is not None:
            cache_folder.mkdir(parents=True, exist_ok=True)
        compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True, boundscheck=False)(loop)
        try_it(compiled)
    except (OSError, RuntimeError) as error:  # numba says "no locator available" with a RuntimeError
        logger.info("compile_loop uncached loop=%s reason=%s", loop.__name__, error)
        compiled = numba.njit(nogil=True, boundscheck=False)(loop)
    return compiled
