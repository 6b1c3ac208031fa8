"""What one URL costs in a request, beside ``flask.url_for`` on an app without Flask-S3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness import fresh
from options import Options, ratios
from report import Figure, Result, middle

ENTRIES = 4000
WAYS = ("plain", "fingerprinted", "negotiated")


def urls(options: Options) -> Result:
    """Each way of publishing, and 0.3.3's."""
    repeats = options.rounds or 25
    found = options.probe("time_urls", fresh(options.work / "urls"), ENTRIES, repeats)
    old = options.probe("old_urls", repeats, python=options.peers.flask_s3_03())
    figures = [
        *(beside_flask(f"url_for, {way}", found, way) for way in WAYS),
        *(beside_flask(f"url_for, {way}, first time", found, f"{way}_once") for way in WAYS),
        beside_flask("flask.url_for, app with Flask-S3", found, "app"),
        beside_flask("Flask-S3 0.3.3", old, "old"),
        microseconds("flask.url_for", found["flask"]),
        *(microseconds(f"url_for, {way}", found[way]) for way in WAYS),
        middle("load a manifest", [s * 1e3 for s in found["load"]], "ms", f"{ENTRIES:,} entries"),
    ]
    return Result("urls", "a URL in a request", tuple(figures))


def beside_flask(name: str, found: Mapping[str, Sequence[float]], side: str) -> Figure:
    """A ratio."""
    return middle(f"{name} : flask.url_for", ratios(found[side], found["flask"]), "x")


def microseconds(name: str, seconds: Sequence[float]) -> Figure:
    """A time."""
    return middle(name, [s * 1e6 for s in seconds], "µs")
