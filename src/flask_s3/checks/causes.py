"""Why an answer is wrong, as a second look tells: a cache, the CDN, or the bucket itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from ..findings import Verdict
from .answers import (
    BYTES,
    CORS,
    PURGE,
    PURGE_ALL,
    STATUS,
    Answer,
    Fault,
    Lost,
    Visit,
    allows,
    has_the_bytes,
    lifetime,
)

_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class SecondLook:
    """The same URL asked for once more, past whatever is between us and the bucket.

    Attributes:
        fresh: the answers to a URL that no cache can know, by origin, empty for none; unless the
            cache does not mind queries.
        direct: those of the bucket's own address; empty when there is no CDN in front of it.
    """

    fresh: Mapping[str, Answer | Lost]
    direct: Mapping[str, Answer | Lost]


def is_doubtful(visit: Visit, fault: Fault) -> bool:
    """Returns whether a second look explains a fault."""
    if fault.check != STATUS:
        return fault.check in {BYTES, CORS}
    return isinstance(visit.plain, Answer) and visit.plain.status in _GONE


def explained(visit: Visit, fault: Fault, look: SecondLook) -> Fault:
    """Returns the fault with its cause, as far as that can be told."""
    if fault.check == BYTES:
        return _bytes(visit, fault, look)
    if fault.check == STATUS:
        return _gone(visit, fault, look)
    return _cors(visit, fault, look) if fault.check == CORS else fault


def _gone(visit: Visit, fault: Fault, look: SecondLook) -> Fault:
    there = any(has_the_bytes(visit.expected, answer) for answer in look.direct.values())
    if not there or not isinstance(visit.plain, Answer):
        return fault
    is_kept = any(has_the_bytes(visit.expected, answer) for answer in look.fresh.values())
    return replace(
        fault,
        said=f"The CDN answers HTTP {visit.plain.status}, the bucket with the file",
        why="Browsers ask the CDN.",
        fix=PURGE if is_kept else "Make the bucket the CDN's origin, without a path of its own.",
    )


def _bytes(visit: Visit, fault: Fault, look: SecondLook) -> Fault:
    expected = visit.expected
    if any(has_the_bytes(expected, answer) for answer in look.fresh.values()):
        return _stale(visit, fault)
    if any(has_the_bytes(expected, answer) for answer in look.direct.values()):
        if _is_kept(look.fresh):
            return _stale(visit, fault)
        return replace(
            fault,
            said="The CDN changes the bytes",
            why="Browsers refuse what its integrity does not match, and nobody tested such files.",
            fix="Switch off what minifies, optimises or rewrites there, for the static prefix.",
        )
    return fault


def _stale(visit: Visit, fault: Fault) -> Fault:
    found = replace(
        fault,
        said="A cache answers with other bytes than the bucket",
        why="Pages get a file of an older release until the cache forgets it.",
        fix=PURGE,
    )
    left = _seconds_left(visit)
    if not left:
        return found
    return replace(
        found,
        verdict=Verdict.WARNING,
        said="A cache still answers with older bytes, as the published Cache-Control lets it",
    )


def _seconds_left(visit: Visit) -> float:
    """Returns for how long a cache may still hold what stood there before the release."""
    expected = visit.expected
    if expected.is_immutable or not isinstance(visit.plain, Answer):
        return 0
    try:
        then = parsedate_to_datetime(visit.plain.header("date")).timestamp()
    except (TypeError, ValueError):  # the first until Python 3.10
        return 0
    now = then + _age(visit.plain)
    return max(0.0, expected.modified + lifetime(expected.cache_control) - now)


def _cors(visit: Visit, fault: Fault, look: SecondLook) -> Fault:
    if _is_allowed(look.fresh) or (_is_allowed(look.direct) and _is_kept(look.fresh)):
        return replace(
            fault,
            said="A cache answers pages of one origin with what somebody else asked for, "
            "without an Access-Control-Allow-Origin for them",
            why=f"{fault.why} It stays so until the cache forgets it.",
            fix="Let the CDN keep answers apart by Origin (CloudFront: Origin in the cache key), "
            f"or send Access-Control-Allow-Origin itself; then: {PURGE_ALL}",
        )
    if not _is_allowed(look.direct):
        return fault
    if any(_has_a_rule(answer) for answer in visit.from_pages.values()):
        once = "Let either the CDN or the bucket send Access-Control-Allow-Origin, not both."
        return replace(fault, fix=once)
    return replace(
        fault,
        said="The CDN takes away the Access-Control-Allow-Origin that the bucket sends",
        fix="Let the CDN pass Origin on to the bucket, and Access-Control-* back to browsers.",
    )


def _is_allowed(answers: Mapping[str, Answer | Lost]) -> bool:
    return bool(answers) and all(allows(answer, origin) for origin, answer in answers.items())


def _is_kept(answers: Mapping[str, Answer | Lost]) -> bool:
    """Returns whether a cache that does not mind queries gave what it kept."""
    return any(isinstance(answer, Answer) and _age(answer) for answer in answers.values())


def _age(answer: Answer) -> int:
    """Returns for how many seconds caches had an answer; 0 where they do not say (RFC 9111)."""
    age = answer.header("age")
    return int(age) if re.fullmatch("[0-9]{1,10}", age) else 0


def _has_a_rule(answer: Answer | Lost) -> bool:
    return isinstance(answer, Answer) and bool(answer.header("access-control-allow-origin"))
