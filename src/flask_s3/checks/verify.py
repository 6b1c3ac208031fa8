"""Proves from outside that browsers get what was published: asks for each URL as they do.

The record of the release is read with credentials, the URLs are asked for without.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from ..errors import ReleaseError
from ..findings import Finding, Verdict
from ..release.records import Record
from ..release.remote import releases_of
from ..settings import Settings
from ..urls import base, quoted
from . import answers
from .answers import Fault, Lost, Visit, faults
from .causes import SecondLook, explained, is_doubtful
from .expected import Expected, expected, sample, to_be_ranged
from .fetching import Browser

_IN_FLIGHT = 32
_ANY_ORIGIN = "https://example.com"
_ORIGINS = 2
"""Of how many origins pages are played: with two, a cache that mixes them up is found."""
_LARGE = 1_000_000
"""Bytes: what is larger, and needs no CORS, is asked for without `Origin` only."""
_MOST_LOST = 20
"""Without an answer to so many requests, nothing more is asked."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What asking for the URLs came to.

    Attributes:
        checked: how many URLs answered or should have.
        findings: what is in order and what is not.
    """

    checked: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Round:
    """Who asks, and as whom.

    Attributes:
        browser: who.
        origins: of the pages that are played.
        ranged: the keys that are also asked for a range.
        direct: finds the bucket's own URL of a file; None where no CDN stands before it.
    """

    browser: Browser
    origins: Sequence[str]
    ranged: frozenset[str]
    direct: Callable[[Expected], str] | None

    def visit(self, one: Expected) -> Visit:
        """Asks for a URL in all the ways that browsers do, the one without `Origin` first."""
        ask = partial(self.browser.ask, one.url, size=one.size)
        plain = ask()
        if isinstance(plain, Lost):
            return Visit(one, plain)
        small = one.cors or one.size <= _LARGE
        origins = self.origins if one.cors else self.origins[:1]
        return Visit(
            one,
            plain,
            {origin: ask(origin) for origin in origins} if small else {},
            ask(byte_range="bytes=0-0") if one.key in self.ranged else None,
        )

    def look_again(self, visit: Visit) -> SecondLook:
        """Asks for a URL past all caches, and past the CDN."""
        one = visit.expected
        ask, origins = partial(self.browser.ask, size=one.size), self.origins or ("",)
        direct = None if self.direct is None else self.direct(one)
        return SecondLook(
            {origin: ask(f"{one.url}?{_unheard_of()}", origin or None) for origin in origins},
            {} if direct is None else {origin: ask(direct, origin or None) for origin in origins},
        )


def verify(
    settings: Settings,
    app_name: str,
    *,
    most: int | None,
    pages_are_https: bool,
    progress: Callable[[int, int], None],
) -> Verified:
    """Asks for the URLs of the release in force, and returns what is wrong with the answers.

    Args:
        settings: which bucket, and where browsers find it.
        app_name: the app's own name.
        most: how many URLs; None for all.
        pages_are_https: whether the app's pages come by https.
        progress: told how many URLs of how many have been looked at.

    Raises:
        SettingsError: the settings, or the authorities of TLS, cannot work.
        StoreError: the store does not let us look.
        ReleaseError: no release is in force.
    """
    record = _in_force(settings, app_name)
    everything = expected(record, settings, base(settings))
    if most is not None:
        everything = sample(everything, most, record.id)
    in_flight = min(settings.concurrency, _IN_FLIGHT)
    with closing(Browser(settings.ca_bundle, in_flight)) as browser:
        asking = _Round(
            browser,
            _origins(settings),
            to_be_ranged(everything),
            _direct(settings) if settings.cdn_domain else None,
        )
        return _verified(asking, everything, settings, pages_are_https, progress)


def _in_force(settings: Settings, app_name: str) -> Record:
    releases, store = releases_of(settings, app_name)
    current = releases.current()
    if current is None or current.record is None:
        raise ReleaseError(
            f"No release of app {settings.app_name or app_name!r} is in force in bucket "
            f"{store.bucket!r}, so there is nothing to verify: flask s3 deploy makes one."
        )
    return current.record


def _origins(settings: Settings) -> tuple[str, ...]:
    """Returns the origins that pages are played of; an example where any is allowed."""
    named = (one.replace("*.", "www.") for one in settings.cors_origins if one != "*")
    return tuple(named)[:_ORIGINS] or ((_ANY_ORIGIN,) if settings.cors_origins else ())


def _direct(settings: Settings) -> Callable[[Expected], str]:
    ours, theirs = base(settings), base(replace(settings, cdn_domain=""))
    return lambda one: theirs.url(one.url.removeprefix(ours.url("")))


def _verified(
    asking: _Round,
    everything: Sequence[Expected],
    settings: Settings,
    pages_are_https: bool,
    progress: Callable[[int, int], None],
) -> Verified:
    missing = asking.browser.ask(_impossible(settings, everything))
    scheme = answers.of_scheme(base(settings).url(""), pages_are_https=pages_are_https)
    general = [one for one in (scheme, answers.of_missing(missing)) if one is not None]
    if isinstance(missing, Lost):
        return Verified(0, (*general, _unreachable(missing)))
    visits = _visits(asking, everything, progress)
    closed = answers.private(visits, through_cdn=bool(settings.cdn_domain))
    if closed is not None:
        return Verified(len(visits), (closed,))
    told = answers.findings(visits, _explained(asking, visits), settings)
    return Verified(len(visits), _sorted((*general, *told, *_unasked(everything, visits))))


def _impossible(settings: Settings, everything: Sequence[Expected]) -> str:
    """Returns the URL of a script that cannot exist, in a folder where scripts are."""
    like = [one.key for one in everything if one.kind == "text/javascript"]
    key = (like or [one.key for one in everything] or [""])[0].removeprefix(settings.key_start)
    folder = key[: key.rfind("/") + 1]
    return base(settings).url(quoted(f"/{folder}{_unheard_of()}.js"))


def _unheard_of() -> str:
    """Returns a name that nothing has, and a query that no cache has met."""
    return f"flask-s3-verify-{secrets.token_hex(8)}"


def _visits(
    asking: _Round, everything: Sequence[Expected], progress: Callable[[int, int], None]
) -> list[Visit]:
    visits: list[Visit] = []
    lost = 0
    with closing(asking.browser.each(everything, asking.visit)) as coming:
        for visit in coming:
            visits.append(visit)
            progress(len(visits), len(everything))
            lost += isinstance(visit.plain, Lost)
            if lost >= _MOST_LOST:
                break
    return sorted(visits, key=lambda visit: visit.expected.key)


def _explained(asking: _Round, visits: Sequence[Visit]) -> list[Fault]:
    """Returns what is wrong, with the cause where asking once more tells it."""
    found = [(visit, faults(visit)) for visit in visits]
    again = [visit for visit, some in found if any(is_doubtful(visit, one) for one in some)]
    looks = dict(asking.browser.each(again, lambda v: (v.expected.key, asking.look_again(v))))
    return [
        explained(visit, fault, looks[fault.key]) if is_doubtful(visit, fault) else fault
        for visit, some in found
        for fault in some
    ]


def _unreachable(missing: Lost) -> Finding:
    what = f"{missing.said}, so no URL could be asked for."
    return Finding(
        answers.CONNECTION, Verdict.ERROR, what, "Browsers meet with the same.", missing.fix
    )


def _unasked(everything: Sequence[Expected], visits: Sequence[Visit]) -> Iterable[Finding]:
    left = len(everything) - len(visits)
    if left:
        what = f"{left:,} more URLs were not asked for, since {_MOST_LOST} had not answered."
        yield Finding(answers.CONNECTION, Verdict.ERROR, what, _UNKNOWN, "flask s3 verify")


_UNKNOWN = "What browsers get from them is not known."


def _sorted(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Returns findings with the worst last, where a terminal shows them."""
    return tuple(sorted(found, key=lambda finding: finding.verdict))
