"""Cloudflare: purging by prefix, which every plan has since 2025.

By URL it would leave what fonts and modules got: `Origin` is part of Cloudflare's cache key, and a
purge by URL would have to name each origin.
Sources: Cloudflare's pages "Purge cache" (limits), "Purge cache by prefix (URL)", "Cache keys", and
its API's "Purge Cached Content".
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from ..errors import PurgeError, SettingsError
from ..redaction import without_secrets
from ..settings import Settings

API = "https://api.cloudflare.com/client/v4"
# The pages say 100 and, elsewhere, 30.
_PREFIXES_A_CALL = 30
_MOST_SEGMENTS = 31
_TIMEOUT = 30
_ATTEMPTS = 6
# The free plan gets five calls a minute once it has used up its first 25.
_LONGEST_PAUSE = 60.0
_LARGEST_ANSWER = 65536
_SLEEP = time.sleep


class Cloudflare:
    """The zone in front of the bucket.

    Args:
        settings: its id, the token, and the host that it serves the files by.
        api: where Cloudflare's API is.

    Raises:
        SettingsError: there is no token, or no host.
    """

    def __init__(self, settings: Settings, api: str | None = None) -> None:
        self._url = f"{api or API}/zones/{settings.cloudflare_zone}/purge_cache"
        self._zone = settings.cloudflare_zone
        self._token = _token(settings)
        if not settings.cdn_domain:
            raise SettingsError(
                "FLASKS3_CLOUDFLARE_ZONE is set but FLASKS3_CDN_DOMAIN is not, so there is no "
                "telling which URLs Cloudflare knows the files by: set it to the zone's host."
            )

    def purge(self, urls: Sequence[str], prefixes: Sequence[str]) -> None:
        """Purges, after which the copies are gone.

        Raises:
            PurgeError: Cloudflare does not do it.
        """
        named = (*map(_of_url, urls), *map(_of_prefix, prefixes))
        wanted = list(dict.fromkeys(_shortened(prefix) for prefix in named))
        for start in range(0, len(wanted), _PREFIXES_A_CALL):
            self._call(wanted[start : start + _PREFIXES_A_CALL])

    def wait(self, receipt: None) -> None:
        """Returns at once: what Cloudflare has answered, it has done."""

    def _call(self, prefixes: Sequence[str]) -> None:
        """Makes one call, again where Cloudflare asks for patience or no answer came."""
        for attempt in range(1, _ATTEMPTS + 1):
            status, answer, pause = self._answer(prefixes)
            if status == 200 and answer.get("success") is True:
                return
            if attempt == _ATTEMPTS or not (status == 429 or status >= 500 or status == 0):
                raise self._refused(status, answer)
            _SLEEP(min(_LONGEST_PAUSE, 2.0**attempt if pause is None else pause))

    def _answer(self, prefixes: Sequence[str]) -> tuple[int, dict[str, Any], float | None]:
        """Returns the status (0: none came), what Cloudflare said, and how long it asks to wait."""
        request = urllib.request.Request(  # noqa: S310  (to Cloudflare's API)
            self._url,
            json.dumps({"prefixes": list(prefixes)}).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with _opener().open(request, timeout=_TIMEOUT) as answer:
                pause = answer.headers.get("Retry-After", "")
                body = _parsed(answer.read(_LARGEST_ANSWER))
                return answer.status, body, float(pause) if pause.isdecimal() else None
        except (OSError, HTTPException) as error:
            return 0, {"errors": [{"message": type(error).__name__}]}, None

    def _refused(self, status: int, answer: dict[str, Any]) -> PurgeError:
        said = without_secrets("; ".join(map(_said, _errors(answer))), [self._token])
        if status == 0:
            return PurgeError(f"Cloudflare could not be reached ({said}): purge again later.")
        why = {
            401: "check CLOUDFLARE_API_TOKEN",
            403: "the token needs the permission Zone → Cache Purge for this zone",
            404: "check FLASKS3_CLOUDFLARE_ZONE",
            429: "too many purges of this account at a time: purge again in some minutes",
        }.get(status, "check FLASKS3_CLOUDFLARE_ZONE and CLOUDFLARE_API_TOKEN, or purge again")
        return PurgeError(
            f"Cloudflare did not purge zone {self._zone} (HTTP {status}"
            f"{f', {said}' if said else ''}): {why}."
        )


def _token(settings: Settings) -> str:
    """Returns the token, if it can go into a header."""
    token = settings.cloudflare_token
    if not token:
        raise SettingsError(
            "FLASKS3_CLOUDFLARE_ZONE is set but CLOUDFLARE_API_TOKEN is not, and Cloudflare purges "
            "for nobody without: set it, in the environment best."
        )
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise SettingsError(
            "CLOUDFLARE_API_TOKEN has spaces or letters that no token has: copy it once more."
        )
    return token


class _AsAnswered(urllib.request.HTTPErrorProcessor):
    """Takes each answer as it is: a redirect that is followed would carry the token elsewhere."""

    # As urllib calls it, which has no type for it either.
    def http_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ANN401, ARG002
        return response

    https_response = http_response


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_AsAnswered)


def _of_url(url: str) -> str:
    """Returns the prefix that means a URL with whatever query and origin."""
    parts = urlsplit(url)
    return parts.netloc + parts.path


def _of_prefix(url: str) -> str:
    """Returns the same for all that begins so: up to a slash, since the pages do not promise more.

    Without the slash itself, as in their examples.
    """
    prefix = _of_url(url)
    return prefix[: prefix.rfind("/")] if "/" in prefix else prefix


def _shortened(prefix: str) -> str:
    return "/".join(prefix.split("/")[: _MOST_SEGMENTS + 1])


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _errors(answer: dict[str, Any]) -> list[Any]:
    errors = answer.get("errors")
    return errors if isinstance(errors, list) else []


def _said(error: object) -> str:
    text = error.get("message") if isinstance(error, dict) else None
    return re.sub(r"\s+", " ", text)[:200] if isinstance(text, str) else "no reason given"
