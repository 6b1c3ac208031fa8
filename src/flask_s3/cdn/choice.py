"""Which CDN is told of a deploy: the one that the settings name, or a purger of the user's own."""

from __future__ import annotations

import re
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..errors import FlaskS3Error, PurgeError, SettingsError
from ..redaction import secrets_in, without_passwords, without_queries, without_secrets
from ..settings import Settings
from .cloudflare import Cloudflare
from .cloudfront import CloudFront
from .purger import Purger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Flask

_OWN = "FLASKS3_PURGER"
_LONGEST_TEXT = 300


def purger(app: Flask, settings: Settings) -> Purger | None:
    """Returns what purges the CDN of an app; None where no setting names one.

    Raises:
        SettingsError: more than one is named, or it cannot be made.
    """
    named = {
        "FLASKS3_CLOUDFRONT_DISTRIBUTION": settings.cloudfront_distribution,
        "FLASKS3_CLOUDFLARE_ZONE": settings.cloudflare_zone,
        _OWN: settings.purger,
    }
    keys = [key for key, value in named.items() if value]
    if len(keys) > 1:
        raise SettingsError(
            f"{' and '.join(keys)} are set, and there is no telling which of the CDNs is in front: "
            f"leave one. For two, one behind the other, set {_OWN} alone, to a purger that calls "
            "both."
        )
    if settings.cloudfront_distribution:
        return CloudFront(settings)
    if settings.cloudflare_zone:
        return Cloudflare(settings)
    return None if settings.purger is None else _Own(_made(app, settings), app, settings)


class _Own:
    """A purger of the user's own: whatever it raises becomes a sentence."""

    def __init__(self, own: Any, app: Flask, settings: Settings) -> None:  # noqa: ANN401  (theirs)
        self._own = own
        self._app = app
        self._settings = settings

    def purge(self, urls: Sequence[str], prefixes: Sequence[str]) -> object:
        try:
            return self._own.purge(urls, prefixes)
        except Exception as error:
            raise self._explained(error) from error

    def wait(self, receipt: object) -> None:
        wait = getattr(self._own, "wait", None)
        try:
            if wait is not None:
                wait(receipt)
        except Exception as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> PurgeError:
        said = _said(error, self._app, self._settings)
        if isinstance(error, PurgeError):
            return PurgeError(said)
        said = _named(error, said)
        return PurgeError(f"The purger in {_OWN} failed ({said}): mend it, then purge again.")


def _made(app: Flask, settings: Settings) -> object:
    """Returns the user's purger, made from what the setting says."""
    value = settings.purger
    own = _imported(value) if isinstance(value, str) else value
    if isinstance(own, type) or (callable(own) and not hasattr(own, "purge")):
        try:
            own = own(app)
        except FlaskS3Error:
            raise
        except Exception as error:
            said = _named(error, _said(error, app, settings))
            raise SettingsError(
                f"{_OWN} could not be called with the app to make a purger ({said}): mend it."
            ) from error
    if not callable(getattr(own, "purge", None)):
        raise SettingsError(
            f"{_OWN} gives a {type(own).__name__}, which has no method purge(urls, prefixes): see "
            "docs/cdn.md for what it takes."
        )
    return own


def _imported(path: str) -> Any:  # noqa: ANN401  (theirs)
    if not re.fullmatch(r"[^\W\d][\w.]*:[^\W\d][\w.]*", path):
        raise SettingsError(
            f"{_OWN} is {path!r}, but it has to be an object or an import path such as "
            "'shop.cdn:Purger': change the setting."
        )
    module, _, name = path.partition(":")
    try:
        return attrgetter(name)(import_module(module))
    except Exception as error:
        raise SettingsError(
            f"{_OWN} is {path!r}, which cannot be imported ({type(error).__name__}): check the "
            "module's name, and that python finds it."
        ) from error


def _said(error: Exception, app: Flask, settings: Settings) -> str:
    """Returns what an exception of others says in one line, less what may be a secret."""
    # Line breaks go last, since a secret may have some, and a header ends at one.
    text = without_secrets(str(error), [*settings.secrets, *secrets_in(app.config)])
    return re.sub(r"\s+", " ", without_queries(without_passwords(text)))


def _named(error: Exception, said: str) -> str:
    """Returns the exception's name, and the beginning of what it says."""
    return f"{type(error).__name__}: {said[:_LONGEST_TEXT]}" if said else type(error).__name__
