"""Python's search for garbage, left alone where all that is made is needed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_alone() -> Iterator[None]:
    """Spares up to a quarter of the time in which thousands of values come into being at once.

    Python would look through all of them, over and over, for what refers to itself in circles.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
