"""Which URLs a CDN is told of: from the keys that changed, and from what somebody typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import quote, unquote

from .. import urls
from ..errors import SettingsError
from ..settings import Settings
from .purger import Stale

MOST_EXACT = 50
"""So many paths are named one by one; above that, one wildcard a static route."""
_PASTED = 20
"""How many paths a command to paste has, before it is about all of them."""


def stale(keys: Iterable[str], settings: Settings, key_prefixes: Sequence[str]) -> Stale:
    """Returns what changed, named as cheaply as the CDNs count it.

    Args:
        keys: of the objects that changed.
        settings: where browsers ask for them.
        key_prefixes: of the static routes.
    """
    base, changed = _base(settings), sorted(set(keys))
    if len(changed) <= MOST_EXACT:
        return Stale(tuple(_url(base, key) for key in changed))
    routes = {_route(key, key_prefixes): None for key in changed}
    others = (_url(base, key) for key in changed if _route(key, key_prefixes) is None)
    return Stale(tuple(others), tuple(_url(base, r) for r in routes if r is not None))


def everything(settings: Settings, key_prefixes: Sequence[str]) -> Stale:
    """Returns all that the static routes may have published: a wildcard a route."""
    base = _base(settings)
    return Stale(prefixes=tuple(_url(base, prefix) for prefix in key_prefixes))


def asked(words: Iterable[str], settings: Settings) -> Stale:
    """Returns what somebody typed: URLs, their paths (`/static/a.css`), or keys (`static/a.css`).

    A `*` at the end is the rest of the path; the `*` of a file's own name is `%2A` in a path.

    Raises:
        SettingsError: one of them is no path, is not on the CDN, or leads out of `FLASKS3_PREFIX`.
    """
    base = _base(settings)
    exact: dict[str, None] = {}
    prefixes: dict[str, None] = {}
    for word in words:
        if re.search(r"[\ud800-\udfff]", word):  # how Python keeps bytes of another encoding
            raise _wrong(word, "it is not UTF-8")
        text = word.removesuffix("*")
        if "*" in text:
            raise _wrong(word, "a `*` is the rest of a path, so only at the end: write %2A for one")
        found = exact if text == word else prefixes
        found[_typed(text, word, base, settings)] = None
    return Stale(tuple(exact), tuple(prefixes))


def how_to_purge(settings: Settings, found: Sequence[str] = ()) -> str:
    """Returns what makes a cache drop URLs, all when there are none or many.

    A command to paste where a setting names the CDN; else it is the user's to do there.
    """
    paths = Stale(tuple(found)).paths
    if settings.cloudfront_distribution or settings.cloudflare_zone or settings.purger:
        return command(paths, most=_PASTED)
    named = shlex.join(paths) if 0 < len(paths) <= _PASTED else "all static files"
    return f"Purge {named} by the cache's own means."


def command(paths: Sequence[str], *, most: int) -> str:
    """Returns the command that purges paths; all, where there are none or more than `most`."""
    return f"flask s3 purge {shlex.join(paths) if 0 < len(paths) <= most else '--all'}"


def _base(settings: Settings) -> urls.Base:
    """Returns what stands before a key in the URLs that the CDN is asked for."""
    base = urls.base(replace(settings, prefix=""))
    named = settings.cdn_domain or settings.chosen("bucket_domain")
    if named or not settings.cloudfront_distribution:
        return base
    # Its viewers' paths have no bucket's name; the host is not asked for.
    return replace(base, place=base.place.partition("/")[0])


def _url(base: urls.Base, key: str) -> str:
    return base.url("/" + urls.quoted(key))


def _route(key: str, key_prefixes: Sequence[str]) -> str | None:
    return next((prefix for prefix in key_prefixes if key.startswith(prefix)), None)


def _typed(text: str, word: str, base: urls.Base, settings: Settings) -> str:
    """Returns the URL that is meant by what somebody typed, less its wildcard.

    The bucket's own URL of a file stands for the CDN's.
    """
    if not re.match(r"(?i)(https?:)?//|/", text):
        return _url(base, _checked(text, word, settings))
    own = f"/{base.place.partition('/')[2]}".rstrip("/") + "/"
    bucket = urls.base(replace(settings, prefix="", cdn_domain=""))
    at_bucket = text.partition("//")[2].removeprefix(f"{bucket.place}/")
    is_buckets = text.endswith(f"//{bucket.place}/{at_bucket}")
    path = _path(own + at_bucket if is_buckets else text, word, base)
    if not path.startswith(own):
        raise _wrong(word, f"what the CDN serves for this app begins with {own}")
    path, mark, query = path[len(own) :].partition("?")
    try:
        key = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise _wrong(word, "its percent-encoding is not UTF-8") from None
    url = _url(base, _checked(key, word, settings))
    return url + mark + quote(query, safe="-._~!$&'()*,;=:@/?%+")


def _path(text: str, word: str, base: urls.Base) -> str:
    """Returns the path and query of a URL of the CDN, or of what is a path already."""
    if "#" in text:
        raise _wrong(word, "browsers keep what follows a '#' to themselves: leave it out")
    _, is_url, rest = text.partition("//")
    if not is_url or (text.startswith("/") and not text.startswith("//")):
        return text
    host, slash, path = rest.partition("/")
    ours = base.place.partition("/")[0]
    if host.lower() != ours.lower():
        raise _wrong(word, f"the files are served by {ours}: see FLASKS3_CDN_DOMAIN")
    return slash + path


def _checked(key: str, word: str, settings: Settings) -> str:
    """Returns a key that browsers can ask for, and that is below `FLASKS3_PREFIX`."""
    if not word:
        raise _wrong(word, "it is empty")
    if re.search(r"[\x00-\x1f\x7f]", key):
        raise _wrong(word, "it has line breaks or control characters")
    # Browsers read a backslash as a slash.
    if {".", ".."} & set(re.split(r"[/\\]", key)):
        raise _wrong(word, "browsers resolve '.' and '..' before they ask: write the path itself")
    if not key.startswith(settings.key_start):
        raise _wrong(
            word,
            f"it is outside FLASKS3_PREFIX ({settings.key_prefix!r}), so not this app's: `flask s3 "
            "purge --all` is all of this app",
        )
    return key


def _wrong(word: str, why: str) -> SettingsError:
    return SettingsError(f"{word!r} cannot be purged: {why}. Nothing was purged.")
