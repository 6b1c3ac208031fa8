"""What a cache in front of the bucket is told: the protocol that each CDN is known by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Stale:
    """What caches may hold that is not so any more, by the URLs that browsers ask for.

    Attributes:
        urls: whole, percent-encoded.
        prefixes: how URLs begin, each of which is meant.
    """

    urls: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.urls or self.prefixes)

    @property
    def paths(self) -> tuple[str, ...]:
        """The same as people write it, and as `flask s3 purge` takes it: a last `*` is the rest."""
        exact = (path_of(url).replace("*", "%2A") for url in self.urls)
        return (*exact, *(f"{path_of(url).replace('*', '%2A')}*" for url in self.prefixes))


class Purger(Protocol):
    """Makes a CDN drop what it holds. `FLASKS3_PURGER` takes any object with these methods.

    An exception does not undo a deploy: it ends with exit code 1, and names what was not purged.
    """

    def purge(self, urls: Sequence[str], prefixes: Sequence[str]) -> object:
        """Makes the CDN drop its copies, so that it asks the bucket again.

        To be called twice for the same URLs must do no harm.

        Args:
            urls: whole URLs as browsers ask for them, percent-encoded.
            prefixes: every URL that begins with one of these is meant: `https://…/static/`.

        Returns:
            A receipt for `wait`; None where the copies are gone already.
        """
        ...

    def wait(self, receipt: Any) -> None:  # noqa: ANN401  (whatever `purge` returned)
        """Returns once the copies are gone; needed for `--wait` only.

        Args:
            receipt: what `purge` returned.
        """
        ...


def path_of(url: str) -> str:
    """Returns a URL's path and query: what a CDN that is told the host by itself needs of it."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
