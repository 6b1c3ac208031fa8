"""Asks for what is published as anybody does: over HTTP, without credentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..settings import Settings
from ..urls import base, quoted
from .answers import Lost
from .fetching import Browser
from .opened import Seen, origins
from .published import Sample


class Outside:
    """What anybody gets at the bucket's address, and at that of the CDN in front of it.

    Args:
        given: the settings.
        browser: asks.
        samples: published objects, the first of which is asked for at the CDN.
    """

    def __init__(self, given: Settings, browser: Browser, samples: Sequence[Sample]) -> None:
        self._given = given
        self._browser = browser
        self._samples = samples
        self._public = base(replace(given, prefix=""))
        self._direct = base(replace(given, prefix="", cdn_domain=""))

    def objects(self) -> list[Seen]:
        """Returns what the bucket's address gives for the samples."""
        return [self._asked(self._direct.url(quoted(f"/{one.key}"))) for one in self._samples]

    def roots(self) -> list[Seen]:
        """Returns what both addresses give for the bucket itself."""
        return [self._asked(url) for url in self._at_both("/?list-type=2&max-keys=1")]

    def records(self, key: str) -> list[Seen]:
        """Returns what both addresses give for one of our own records."""
        return [self._asked(url) for url in self._at_both(quoted(f"/{key}"))]

    def cors(self, key: str) -> dict[str, Seen]:
        """Returns what the pages' address gives for an object, by the origin that asks."""
        url = self._public.url(quoted(f"/{key}"))
        return {origin: self._asked(url, origin) for origin in origins(self._given)}

    def cdn(self) -> Seen:
        """Returns what the CDN gives for the first sample."""
        return self._asked(self._public.url(quoted(f"/{self._samples[0].key}")))

    def _at_both(self, path: str) -> list[str]:
        """Returns the URLs of a path at the bucket's own address, and the CDN's if there is one."""
        return [place.url(path) for place in dict.fromkeys((self._direct, self._public))]

    def _asked(self, url: str, origin: str | None = None) -> Seen:
        answer = self._browser.ask(url, origin)
        if isinstance(answer, Lost):
            return Seen(url, None, said=answer.said)
        return Seen(
            url,
            answer.status,
            sha256=answer.visible or answer.sha256,
            content_type=answer.kind,
            allow_origin=answer.header("access-control-allow-origin") or None,
        )
