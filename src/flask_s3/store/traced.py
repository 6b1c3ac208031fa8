"""Each request as a line, for `--verbose`: told to a logger, and shown by whoever listens to it.

`flask_s3.requests` gets one record a request at level DEBUG, whose only argument is an `Exchange`.
Nothing secret is in it: an operation and a key, no headers, no signature and no query.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..amounts import size

if TYPE_CHECKING:
    from .protocol import Exchange

REQUESTS = logging.getLogger("flask_s3.requests")


def is_traced() -> bool:
    """Returns whether anybody listens; a client asks once, when it is made."""
    return REQUESTS.isEnabledFor(logging.DEBUG)


def tell(exchange: Exchange) -> None:
    """Tells the logger of one request; may be called on any thread."""
    REQUESTS.debug("%s", exchange)


def line(exchange: Exchange) -> str:
    """Returns a request as people read it: `PutObject static/app.css 200 1.2 kB 53 ms`.

    `-` stands for an answer that never came; a second attempt and later ones say which they are.
    """
    status = "-" if exchange.status is None else str(exchange.status)
    told = [exchange.operation, exchange.key, status, size(exchange.bytes), _time(exchange)]
    if exchange.attempt > 1:
        told.append(f"attempt {exchange.attempt}")
    return " ".join(filter(None, told))


def _time(exchange: Exchange) -> str:
    return f"{exchange.seconds * 1000:.0f} ms"
