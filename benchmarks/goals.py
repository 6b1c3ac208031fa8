"""Every goal, in one table: the figure that it is about, and the bound.

A figure is printed beside its goal as ``met`` or ``MISSED``; none fails a build.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A bound of a figure that ``benchmark`` measures."""

    benchmark: str
    bound: float
    at_least: bool = False

    def is_met_by(self, value: float) -> bool:
        """Whether a value keeps to it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        """``≤ 0.9``."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:,.4g}"


GOALS: Mapping[str, Goal] = {
    # Requests a second that the latency server holds, so that it is not what is measured.
    "latency server": Goal("server", 3000, at_least=True),
    # A first deploy.
    "cold, 4,000 files, 50 ms : s5cmd": Goal("cold", 0.9),
    "cold, 4,000 files, 50 ms, CPU : s5cmd": Goal("cold", 1.0),
    "cold, 4,000 files, 50 ms : Flask-S3 0.3.3": Goal("cold", 1 / 100),
    "cold, 4,000 files, 50 ms, profile : s5cmd": Goal("cold", 1.3),
    "cold, 20,000 files, 50 ms : s5cmd": Goal("cold", 0.7),
    "cold, 4,000 files, 5 ms : s5cmd": Goal("cold", 1.0),
    # A deploy that has nothing to do.
    "unchanged, 4,000 files, 50 ms : s5cmd sync": Goal("unchanged", 1.0),
    "unchanged, 4,000 files, 50 ms, profile : s5cmd sync": Goal("unchanged", 1.3),
    "unchanged, 100,000 files, 50 ms : s5cmd sync": Goal("unchanged", 0.5),
    "unchanged, 4,000 files, requests": Goal("unchanged", 3),
    "unchanged, 4,000 files, fingerprints, requests": Goal("unchanged", 3),
    "unchanged, 100,000 files, requests": Goal("unchanged", 3),
    # Films.
    "large, throughput : s5cmd": Goal("large", 0.9, at_least=True),
    "large, 1 Gbit/s, throughput : s5cmd": Goal("large", 0.9, at_least=True),
    "large, SeaweedFS, throughput : s5cmd": Goal("large", 0.9, at_least=True),
    "large, peak memory": Goal("large", 250),
    "large, 1 Gbit/s, peak memory": Goal("large", 250),
    "large, SeaweedFS, peak memory": Goal("large", 250),
    # Fingerprints and encodings of packages from npm.
    "build, cold : codecs' CPU over the cores": Goal("build", 1.15),
    "build, warm : Django's collectstatic": Goal("build", 1 / 20),
    # Serving.
    "url_for, plain : flask.url_for": Goal("urls", 0.25),
    "url_for, fingerprinted : flask.url_for": Goal("urls", 0.25),
    "url_for, negotiated : flask.url_for": Goal("urls", 0.4),
    "start, import + first URL, over Flask alone": Goal("start", 25),
    "start, heavy modules": Goal("start", 0),
    # More and more files: the time an asset takes, beside a tenth as many.
    "scale, plain, time, 100,000 : 10,000": Goal("scale", 1.2),
    "scale, plain, time, 1,000,000 : 100,000": Goal("scale", 1.2),
    "scale, fingerprints, time, 100,000 : 10,000": Goal("scale", 1.2),
    "scale, fingerprints, time, 1,000,000 : 100,000": Goal("scale", 1.2),
    # Kilobytes an asset.
    "scale, plain, 100,000, memory": Goal("scale", 2),
    "scale, plain, 1,000,000, memory": Goal("scale", 2),
    "scale, plain, 100,000, whole deploy, memory": Goal("scale", 2),
    "scale, plain, 1,000,000, whole deploy, memory": Goal("scale", 2),
    "scale, fingerprints, 100,000, memory": Goal("scale", 2),
    "scale, fingerprints, 1,000,000, memory": Goal("scale", 2),
    "scale, fingerprints, 100,000, whole deploy, memory": Goal("scale", 2),
    "scale, fingerprints, 1,000,000, whole deploy, memory": Goal("scale", 2),
}
