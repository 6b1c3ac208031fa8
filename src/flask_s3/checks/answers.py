"""What is wrong with answers: each is held against what was published.

Sources: Fetch § 2.9 "redirects" and § 4.10 "CORS check"; RFC 9110 § 12.5.5 (`Vary`), § 14.2
(`Range`); RFC 9111 § 4.2 (freshness); Amazon S3 User Guide, "Using cross-origin resource sharing".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urlsplit

from ..cdn.paths import how_to_purge
from ..findings import Finding, Verdict
from ..headers import media_type
from ..settings import Settings
from ..urls import quoted
from .expected import DATA, Expected

STATUS, BYTES, TYPE, ENCODING = "status", "bytes", "content type", "encoding"
CACHE, CORS, VARY, RANGES = "cache policy", "CORS", "Vary", "ranges"
MISSING, SCHEME, CONNECTION = "missing files", "scheme", "connection"
PURGE, PURGE_ALL = "purge these…", "purge all…"
"""Stand in a fault's `fix` for how a cache drops all files that it is told of together, or all."""
_NAMED = 3
"""How many files a finding names before it counts the others."""
_SCRIPTS = frozenset({"text/javascript", "application/javascript", "application/x-javascript"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser got.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name.
        sha256: of the body as it came, in hexadecimal.
        visible: of what it decodes to; None when its coding is unknown, or it is not coded so.
        code: the S3 error code in the body of a refusal.
    """

    status: int
    headers: Mapping[str, str]
    sha256: str
    visible: str | None
    code: str = ""

    def header(self, name: str) -> str:
        """Returns a header's value, empty when there is none."""
        return self.headers.get(name, "").strip()

    @property
    def kind(self) -> str:
        """The content type without its parameters."""
        return media_type(self.header("content-type"))

    @property
    def encoding(self) -> str:
        """The content coding, empty for none."""
        coding = self.header("content-encoding").lower()
        return "" if coding == "identity" else coding

    def varies_by(self, name: str) -> bool:
        """Returns whether caches are told to keep answers apart by a request header."""
        named = {part.strip().lower() for part in self.header("vary").split(",")}
        return bool(named & {name, "*"})


@dataclass(frozen=True, slots=True)
class Lost:
    """What came instead of an answer.

    Attributes:
        said: what happened, without a full stop.
        fix: what mends it.
    """

    said: str
    fix: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One URL, asked for in all the ways that browsers do.

    Attributes:
        expected: what they should get.
        plain: the answer to a request without `Origin`.
        from_pages: the answers to requests with one, by origin.
        ranged: the answer to a request for the first byte; None when that was not asked for.
    """

    expected: Expected
    plain: Answer | Lost
    from_pages: Mapping[str, Answer | Lost] = field(default_factory=dict)
    ranged: Answer | Lost | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one URL.

    Attributes:
        key: of the object.
        check: which one found it.
        verdict: how bad it is.
        said: what was found, without a full stop and without the key; equal ones are told together.
        why: why that matters.
        fix: what mends it.
    """

    key: str
    check: str
    verdict: Verdict
    said: str
    why: str
    fix: str


def faults(visit: Visit) -> tuple[Fault, ...]:
    """Returns what is wrong with the answers from one URL, each fault once."""
    found: dict[tuple[str, str], Fault] = {}
    for fault in _of_answer(visit.expected, visit.plain):
        found[fault.check, fault.said] = fault
    for answer in visit.from_pages.values():
        for fault in _of_answer(visit.expected, answer):
            if (fault.check, fault.said) not in found:
                said = f"{fault.said}, when asked with Origin"
                found[fault.check, said] = replace(fault, said=said)
    if not any(fault.check in {STATUS, CONNECTION, MISSING} for fault in found.values()):
        for fault in (*_of_cors(visit), *_of_vary(visit), *_of_range(visit)):
            found.setdefault((fault.check, fault.said), fault)
    return tuple(found.values())


def _of_answer(expected: Expected, answer: Answer | Lost) -> Iterator[Fault]:
    """Yields what is wrong with an answer by itself."""
    if isinstance(answer, Lost):
        why = "Browsers meet with the same."
        yield Fault(expected.key, CONNECTION, Verdict.ERROR, answer.said, why, answer.fix)
    elif answer.status != 200:
        yield _refused(expected, answer)
    elif answer.kind == "text/html" != expected.kind and not _has_the_bytes(expected, answer):
        said = "An HTML page answers with 200 in place of the file"
        yield Fault(expected.key, MISSING, Verdict.ERROR, said, _PAGE_WHY, _PAGE_FIX)
    else:
        yield from _of_body(expected, answer)
        yield from _of_type(expected, answer)
        yield from _of_caching(expected, answer)


_PAGE_WHY = "Browsers take the page for the script, style sheet or picture, and caches keep it."
_PAGE_FIX = (
    "Let the server or CDN answer 404 for files that are not there: no try_files or rewrite to "
    "index.html, and no custom error response with status 200, for the static prefix."
)

# -- status


def _refused(expected: Expected, answer: Answer) -> Fault:
    if 300 <= answer.status < 400:
        return _redirected(expected, answer)
    code = f" ({answer.code})" if answer.code else ""
    why, fix = _REFUSALS.get(answer.status, _FAILURE)
    if (answer.status, answer.code) == (400, "InvalidArgument"):
        why, fix = _KMS
    said = f"The answer is HTTP {answer.status}{code}"
    return Fault(expected.key, STATUS, Verdict.ERROR, said, why, fix)


_FORBIDDEN = (
    "Nobody but the bucket's own users can read it.",
    "flask s3 setup",
)
_GONE = (
    "It is published, and not there any more.",
    "flask s3 deploy --verify-remote",
)
_FAILURE = (
    "Asked again, the server did not do better.",
    "Look into the log of the server or CDN, then: flask s3 verify",
)
_KMS = (
    "What is encrypted with KMS cannot be read without a signature, so by no browser.",
    "flask s3 setup --sse-s3 && flask s3 deploy --force",
)
_REFUSALS = {401: _FORBIDDEN, 403: _FORBIDDEN, 404: _GONE, 410: _GONE}


def _redirected(expected: Expected, answer: Answer) -> Fault:
    asked, target = urlsplit(expected.url), _split(answer.header("location"))
    place = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
    if not target.netloc:
        place = target.path
    elif target.path != asked.path:
        place += target.path
    place = "".join(letter if letter.isprintable() else "?" for letter in place)[:100]
    return Fault(
        expected.key,
        STATUS,
        Verdict.ERROR,
        f"HTTP {answer.status} leads on to {place or 'nowhere'}",
        "Each visitor asks twice, and after a redirect to another origin fonts and modules fail.",
        _instead(expected, asked, target),
    )


def _split(url: str) -> SplitResult:
    """Splits a URL that a server sent, which may be no URL at all: then nothing is in it."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _instead(expected: Expected, asked: SplitResult, target: SplitResult) -> str:
    """Returns how pages come by what a redirect leads to without it."""
    there, end = target.netloc.rpartition("@")[2], f"/{quoted(expected.key)}"
    from_http = (asked.scheme, target.scheme) == ("http", "https")
    if from_http and there.split(":")[0] == asked.netloc.split(":")[0]:
        return _BY_HTTPS
    if not there or not target.scheme or not target.path.endswith(end):
        return "Let the server or CDN answer with the file itself, not with a redirect."
    place = f"{target.scheme}://{there}{target.path.removesuffix(end)}"
    return f'Let the URLs lead there at once: app.config["FLASKS3_CDN_DOMAIN"] = {_shown(place)}'


_BY_HTTPS = 'app.config["FLASKS3_USE_HTTPS"] = True, and no http:// in FLASKS3_CDN_DOMAIN'


# -- bytes, type, encoding


def _has_the_bytes(expected: Expected, answer: Answer) -> bool:
    """Returns whether a browser ends up with the published bytes."""
    if answer.encoding == expected.encoding and answer.sha256 == expected.sha256:
        return True
    return answer.visible is not None and answer.visible == expected.visible


def has_the_bytes(expected: Expected, answer: Answer | Lost | None) -> bool:
    """Returns whether something answered, with 200 and the published bytes."""
    return isinstance(answer, Answer) and answer.status == 200 and _has_the_bytes(expected, answer)


def _of_body(expected: Expected, answer: Answer) -> Iterator[Fault]:
    key = expected.key
    if answer.encoding != expected.encoding and answer.sha256 == expected.sha256:
        said = f"Content-Encoding is {_or_none(answer.encoding)}, where "
        said += f"{_or_none(expected.encoding)} was published with the same bytes"
        why = "Browsers do not decode what is encoded, or decode what is not."
        yield Fault(key, ENCODING, Verdict.ERROR, said, why, _LEAVE_ENCODING)
    elif not _has_the_bytes(expected, answer):
        said, why = "The bytes are not those that were published", _OTHER_BYTES
        yield Fault(key, BYTES, Verdict.ERROR, said, why, "flask s3 deploy --verify-remote")
    elif answer.encoding != expected.encoding and not answer.varies_by("accept-encoding"):
        said = f"It is sent as {_or_none(answer.encoding)}, where {_or_none(expected.encoding)} "
        said += "was published, without Vary: Accept-Encoding"
        why = "A cache may hand it to a client that cannot read that encoding."
        yield Fault(key, ENCODING, Verdict.WARNING, said, why, _SAY_VARY)


_OTHER_BYTES = "Pages get a file of another release, or one that was tampered with."
_LEAVE_ENCODING = "Let the CDN pass Content-Encoding through as the bucket sends it."
_SAY_VARY = "Let what compresses send Vary: Accept-Encoding (nginx: gzip_vary on), or not compress."


def _of_type(expected: Expected, answer: Answer) -> Iterator[Fault]:
    if not expected.content_type:
        return
    got, wanted = answer.header("content-type"), expected.content_type
    same_kind = answer.kind == expected.kind or {answer.kind, expected.kind} <= _SCRIPTS
    said = f"Content-Type is {_shown(got)} instead of {_shown(wanted)}"
    if not same_kind:
        why = "Browsers run no module, and apply no style sheet, of another type."
        yield Fault(expected.key, TYPE, Verdict.ERROR, said, why, _LEAVE_TYPE)
    elif _charset(wanted) and _charset(got) != _charset(wanted):
        why = "Browsers guess how letters beyond ASCII are written, and may guess wrong."
        yield Fault(expected.key, TYPE, Verdict.WARNING, said, why, _LEAVE_TYPE)


_LEAVE_TYPE = (
    "Where the bucket itself is wrong: flask s3 deploy --verify-remote; else let the CDN pass "
    "Content-Type through."
)


def _charset(content_type: str) -> str:
    found = re.search(r';\s*charset\s*=\s*"?([^";\s]+)', content_type, re.IGNORECASE)
    return found[1].lower() if found else ""


# -- caching


def _of_caching(expected: Expected, answer: Answer) -> Iterator[Fault]:
    got, wanted = answer.header("cache-control"), expected.cache_control
    if _directives(got) == _directives(wanted):
        return
    verdict, why = Verdict.WARNING, "Browsers and caches keep it for another time than published."
    if expected.is_immutable:
        why = "Its name changes with its content, and visitors ask for it again all the same."
    elif wanted and lifetime(got) > lifetime(wanted):
        verdict = Verdict.ERROR
        why = "Its name stays when its content changes, and nothing takes back what browsers keep."
    said = f"Cache-Control is {_shown(got)} instead of {_shown(wanted)}"
    yield Fault(expected.key, CACHE, verdict, said, why, _LEAVE_CACHE)


_LEAVE_CACHE = (
    "Where the bucket itself is wrong: flask s3 deploy --verify-remote; else let the CDN pass "
    "Cache-Control through (Cloudflare: Browser Cache TTL, Respect Existing Headers)."
)


def _directives(cache_control: str) -> dict[str, str]:
    parts = (part.strip().lower().partition("=") for part in cache_control.split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in parts if name}


def lifetime(cache_control: str) -> int:
    """Returns for how many seconds browsers may keep an answer without asking."""
    directives = _directives(cache_control)
    if directives.keys() & {"no-store", "no-cache"}:
        return 0
    seconds = directives.get("max-age", "")
    return int(seconds) if re.fullmatch(r"[0-9]{1,10}", seconds) else 0


# -- other origins


def allows(answer: Answer | Lost | None, origin: str) -> bool:
    """Returns whether a page of an origin may use an answer that it asked for with CORS."""
    if not isinstance(answer, Answer):
        return False
    return answer.header("access-control-allow-origin") in {"*", origin}


def _of_cors(visit: Visit) -> Iterator[Fault]:
    expected = visit.expected
    for origin, answer in visit.from_pages.items():
        if not expected.cors or isinstance(answer, Lost) or allows(answer, origin):
            continue
        got = answer.header("access-control-allow-origin")
        said = f"Access-Control-Allow-Origin is {_shown(got)} for pages of {origin}"
        verdict = Verdict.WARNING if expected.cors == DATA else Verdict.ERROR
        why = f"Browsers refuse {expected.cors} without it."
        yield Fault(expected.key, CORS, verdict, said, why, "flask s3 setup")


def _of_vary(visit: Visit) -> Iterator[Fault]:
    """Yields where a cache that minds `Vary` alone would give one page what another one got."""
    if not visit.expected.cors or isinstance(visit.plain, Lost):
        return
    without = visit.plain.header("access-control-allow-origin")
    for origin, answer in visit.from_pages.items():
        if isinstance(answer, Lost) or not allows(answer, origin) or answer.varies_by("origin"):
            continue
        if answer.header("access-control-allow-origin") != without:
            said = "Access-Control-Allow-Origin depends on Origin, and Vary does not say so"
            yield Fault(visit.expected.key, VARY, Verdict.WARNING, said, _VARY_WHY, _VARY_FIX)
            return


_VARY_WHY = "A cache may give one page what another one asked for, and the browser refuses it."
_VARY_FIX = (
    "Let the CDN, or a proxy in front of the store, send Vary: Origin, or send "
    "Access-Control-Allow-Origin: * with every answer by itself."
)


# -- ranges


def _of_range(visit: Visit) -> Iterator[Fault]:
    expected, answer = visit.expected, visit.ranged
    if not isinstance(answer, Answer) or answer.status == 206:
        return
    is_film = expected.kind.startswith(("audio/", "video/"))
    verdict = Verdict.ERROR if is_film else Verdict.WARNING
    said = f"A request for the first byte is answered with HTTP {answer.status} instead of 206"
    why = "Safari plays no film or sound from there, and a download that broke off begins anew."
    fix = "Let the CDN pass Range through, or answer it from its cache."
    yield Fault(expected.key, RANGES, verdict, said, why, fix)


# -- all together


def of_missing(answer: Answer | Lost) -> Finding | None:
    """Returns what an answer for a file that cannot exist tells; None where it is in order."""
    if isinstance(answer, Lost) or 300 <= answer.status < 400 or answer.status >= 500:
        return None  # the others tell
    if answer.status >= 400:
        return Finding(MISSING, Verdict.OK, f"A file that is not there answers {answer.status}.")
    what = f"A script that does not exist answers {answer.status} with {_shown(answer.kind)}."
    return Finding(MISSING, Verdict.ERROR, what, _PAGE_WHY, _PAGE_FIX)


def of_scheme(url: str, *, pages_are_https: bool) -> Finding | None:
    """Returns whether browsers block the URLs on pages that came by https.

    None for this machine's own addresses, which they do not block (Mixed Content § 4.1).
    """
    parts = urlsplit(url)
    if parts.scheme == "https":
        return Finding(SCHEME, Verdict.OK, "URLs begin with https://.")
    host = parts.hostname or ""
    if host in {"localhost", "::1"} or host.endswith(".localhost") or host.startswith("127."):
        return None
    verdict = Verdict.ERROR if pages_are_https else Verdict.WARNING
    which = "and the app's pages with https://" if pages_are_https else "not with https://"
    return Finding(
        SCHEME,
        verdict,
        f"URLs begin with http://{host}, {which}.",
        "On a page that came by https, browsers block scripts, style sheets and fonts of http.",
        f"{_BY_HTTPS} or FLASKS3_ENDPOINT_URL",
    )


def private(visits: Sequence[Visit], *, through_cdn: bool) -> Finding | None:
    """Returns one finding where nobody can read anything; None otherwise."""
    answers = [visit.plain for visit in visits]
    if not answers or not all(isinstance(a, Answer) and a.status in {401, 403} for a in answers):
        return None
    status = ", ".join(sorted({str(a.status) for a in answers if isinstance(a, Answer)}))
    every = f"Every URL answers HTTP {status}"
    cause = "the CDN may not read the bucket" if through_cdn else "the bucket is private"
    what, why = f"{every}: {cause}.", "Browsers get no file at all."
    return Finding(STATUS, Verdict.ERROR, what, why, "flask s3 setup")


def findings(
    visits: Sequence[Visit], found: Iterable[Fault], settings: Settings
) -> tuple[Finding, ...]:
    """Returns what is wrong, equal faults of many files told together, and what is in order."""
    urls = {visit.expected.key: visit.expected.url for visit in visits}
    grouped = _grouped(found, lambda keys: how_to_purge(settings, [urls[key] for key in keys]))
    told = {finding.check for finding in grouped}
    return (*(one for one in _in_order(visits) if one.check not in told), *grouped)


def _grouped(found: Iterable[Fault], purge: Callable[[Sequence[str]], str]) -> tuple[Finding, ...]:
    groups: dict[Fault, list[str]] = {}
    for fault in found:
        groups.setdefault(replace(fault, key=""), []).append(fault.key)
    told = [
        Finding(
            one.check,
            one.verdict,
            f"{one.said}: {named(keys)}.",
            one.why,
            one.fix.replace(PURGE, purge(keys)).replace(PURGE_ALL, purge(())),
        )
        for one, keys in groups.items()
    ]
    return tuple(sorted(told, key=lambda finding: -finding.verdict))


def named(keys: Sequence[str]) -> str:
    """Returns the first of some keys, and how many more there are."""
    more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more


def _in_order(visits: Sequence[Visit]) -> Iterator[Finding]:
    """Yields what each check says when nothing is wrong, where there was anything to check."""
    read = [v for v in visits if isinstance(v.plain, Answer) and v.plain.status == 200]
    with_cors = [v for v in read if v.expected.cors and v.from_pages]
    apart = [v for v in with_cors if all(allows(a, o) for o, a in v.from_pages.items())]
    ranged = [v for v in read if v.ranged is not None]
    for check, number, said in (
        (STATUS, len(read), "HTTP 200"),
        (BYTES, len(read), "The published bytes"),
        (TYPE, len(read), "The published content type and charset"),
        (ENCODING, len(read), "The published encoding"),
        (CACHE, len(read), "The published cache policy"),
        (CORS, len(with_cors), "Of use to pages of other origins"),
        (VARY, len(apart), "Kept apart by Origin in caches, or the same for all"),
        (RANGES, len(ranged), "Requests for a range answered with it"),
    ):
        if number:
            noun = "URL" if number == 1 else "URLs"
            yield Finding(check, Verdict.OK, f"{said}: {number:,} {noun}.")


def _or_none(coding: str) -> str:
    return coding[:40] if re.fullmatch(r"[\w, -]+", coding) else "none" if not coding else "unknown"


def _shown(value: str) -> str:
    """Returns a header's value as it may be shown: one line, not endless."""
    return repr(value if len(value) <= 80 else f"{value[:77]}...") if value else "missing"
