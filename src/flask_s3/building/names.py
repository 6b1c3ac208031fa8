"""Published names: a digest put into a file's name, the names that have one already, and the plain.

`css/app.css` is published as `css/app.<digest>.css`, its brotli variant as
`css/app.<digest>.br.css`: the real extension stays the last, since people and CDNs go by it.
"""

from __future__ import annotations

import re

DIGITS = 16
"""How many hexadecimal digits of a SHA-256 a name carries: 64 bits, so that among a million files
two equal ones are a matter of one in 37 million."""

LONGEST_ADDITION = len(".") + DIGITS + len(".gzip")
"""How many characters a published name is longer than the file's own, at most."""

DOCUMENTS = (".html", ".htm", ".xhtml")
"""What people go to by its address, so that its name has to stay."""

# Asked for by browsers and crawlers.
_FIXED = re.compile(r"(?:^|/)\.well-known/|(?:^|/)(?:favicon\.ico|robots\.txt)$", re.IGNORECASE)
# Its scope, and the check for a new one, hang on its URL (W3C Service Workers § 2.2).
_SERVICE_WORKER = re.compile(
    r"(?:^|/)(?:[^/]*[-_.])?(?:sw|service[-_.]?worker)(?:[-_.](?:min|prod|dev))?\.m?js$"
    r"|(?:^|/)(?:ngsw-worker|OneSignalSDK(?:Updater)?Worker)\.js$",
    re.IGNORECASE,
)

# What a bundler writes into a name: hexadecimal (webpack, esbuild, Parcel, Rails), or base64url
# (Vite, Rollup). Words and numbers are told from it, since a file that is taken for a bundler's by
# mistake would be cached for a year under a name that does not follow its content.
_MARKED = re.compile(
    r"[-.](?P<digest>[0-9A-Za-z_-]{8,64})(?:\.(?:chunk|bundle|min|module|legacy|esm))*"
    r"(?:\.[0-9A-Za-z]{1,12}){1,2}$"
)
_DIGIT = re.compile("[0-9]")
_HEXADECIMAL = re.compile(r"(?=.*\d)(?=.*[a-f])[0-9a-f]{8,64}")
_BASE64 = re.compile(r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[0-9A-Za-z_-]{8,32}")
# Each alternative takes all that it can: there is one way only to read a name.
_WORDS = re.compile(
    r"(?:[A-Z]*[a-z]{2,}(?![a-z])|[A-Z]{2,}(?![A-Za-z])|[0-9]+(?![0-9])|[-_]+(?![-_]))+"
)


def with_digest(name: str, digest: str) -> str:
    """Returns the name that a file is published under: `app.css` → `app.<digest>.css`.

    Args:
        name: the file's name, with or without folders.
        digest: in hexadecimal; its first 16 digits are used.
    """
    stem, extension = _split(name)
    return f"{stem}.{digest[:DIGITS]}{extension}"


def with_codec(name: str, codec: str) -> str:
    """Returns the name of an encoded variant: `app.<digest>.css` → `app.<digest>.br.css`."""
    stem, extension = _split(name)
    return f"{stem}.{codec}{extension}"


def _split(name: str) -> tuple[str, str]:
    folder, slash, base = name.rpartition("/")
    stem, dot, extension = base.rpartition(".")
    return (folder + slash + stem, dot + extension) if stem else (name, "")


def is_fixed(filename: str) -> bool:
    """Returns whether a file is asked for by its own name, so that it has to keep it.

    Documents, `favicon.ico`, `robots.txt`, `.well-known/` and service workers are.
    """
    lower = filename.lower()
    if lower.endswith(DOCUMENTS) or is_service_worker(filename):
        return True
    likely = lower.endswith((".ico", ".txt")) or ".well-known/" in lower
    return likely and _FIXED.search(filename) is not None


def is_service_worker(filename: str) -> bool:
    """Returns whether a file is a service worker, by its name."""
    is_script = filename.lower().endswith((".js", ".mjs"))
    return is_script and _SERVICE_WORKER.search(filename) is not None


def is_fingerprinted(filename: str) -> bool:
    """Returns whether a bundler put a digest into a name: `index-B3xZ9k_a.js`, `a.3f9c01de.css`.

    In doubt it has not: then the file gets a digest of ours, which does no harm.
    """
    base = filename.rpartition("/")[2]
    found = _MARKED.search(base) if _DIGIT.search(base) else None
    if found is None:
        return False
    # `name-part-B3xZ9k_a` may hold several candidates; the last part that can be one counts.
    whole = found["digest"]
    parts = {whole, whole.rpartition("-")[2]}
    return any(_is_digest(part) for part in parts)


def may_be_fingerprinted(filename: str) -> bool:
    """Returns whether a part of a name could be a digest, though it may as well be a word."""
    return _MARKED.search(filename.rpartition("/")[2]) is not None


def _is_digest(text: str) -> bool:
    known = _HEXADECIMAL.fullmatch(text) or _BASE64.fullmatch(text)
    return known is not None and _WORDS.fullmatch(text) is None
