"""How many requests a second the latency server holds: what is measured must not wait for it."""

from __future__ import annotations

from options import Options
from report import Result, middle
from stores.running import latency_server

REQUESTS, CONNECTIONS = 20_000, 64
BODY = 4096


def server(options: Options) -> Result:
    """PUTs of 4 kB without latency, from a load generator in a process of its own."""
    rates = []
    for _ in range(options.rounds or 5):
        with latency_server() as running:
            found = options.probe("put_many", running.url, REQUESTS, CONNECTIONS, BODY)
            running.expect_objects(REQUESTS)
        rates.append(REQUESTS / found["seconds"])
    note = f"PUTs of {BODY:,} bytes over {CONNECTIONS} connections"
    figure = middle("latency server", rates, "requests/s", note)
    return Result("server", "the latency server by itself", (figure,))
