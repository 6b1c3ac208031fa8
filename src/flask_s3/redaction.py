"""Texts without the credentials in them: for messages, logs and reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

HIDDEN = "…"
"""Stands where a credential stood."""

# A shorter one is no credential of any store, and would take other words with it.
_SHORTEST = 6
_SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_QUERY = re.compile(r"\?[^\s'\"]*")
# RFC 3986 § 3.2.1: what stands before the `@` of an authority. Nobody knows where a password ends
# that was not quoted as it should be, so it goes up to the last one.
_AFTER_SLASHES = re.compile(r"(?<=//)(?:[^\s/?#@:]*:[^\n]*|[^\s/?#@]+)@")
_WITHOUT_SLASHES = re.compile(r"(?<![^\s'\"(\[{,=])([^\s:/@'\"]+:)[^\s/@][^\n]*@")
# What a signed request carries, when an answer repeats it (S3, "Signature Version 4"; RFC 6750).
_CARRIED = (
    # What was hidden before stays as it is: in one line with it may stand what to do.
    re.compile(rf"(?i)(\bauthorization\b[\"']?\s*[:=]\s*[\"']?)(?!\s*[\"']?{HIDDEN})[^\n\"'<]+"),
    re.compile(r"(?i)(\bx-amz-(?:security-token|signature|credential)\b\s*[:=]\s*)[^\s,;&<\"']+"),
    re.compile(r"(?i)(\b(?:signature|credential)=)[^\s,;&<\"']+"),
    re.compile(r"(?i)(\bbearer )(?=\S*\d)[\w.~+/=-]{8,}"),
    # STS's session tokens, and what else is as long and as random: no path is, without a dot.
    re.compile(r"((?<![\w+/=.-]))[A-Za-z0-9+/=%]{100,}(?![\w+/=.-])"),
)


def without_passwords(text: str) -> str:
    """Returns a text in which no address has a password any more: `https://…@host`.

    `name:password@host` without a scheme keeps the name.
    """
    return _WITHOUT_SLASHES.sub(rf"\1{HIDDEN}@", _AFTER_SLASHES.sub(f"{HIDDEN}@", text))


def without_queries(text: str) -> str:
    """Returns a text whose URLs have lost what follows the `?`, where other people's keys stand."""
    return _QUERY.sub(f"?{HIDDEN}", text)


def secrets_in(config: Mapping[str, object]) -> list[str]:
    """Returns the values of a configuration whose names say that they are secret."""
    return [v for key, v in config.items() if isinstance(v, str) and _SECRET_NAME.search(key)]


def without_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """Returns a text without these secrets, and without what a signed request carries.

    Args:
        text: a message, of which a part may be an answer that repeats the request.
        secrets: None stands for one that is not set.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    for pattern in _CARRIED:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text
