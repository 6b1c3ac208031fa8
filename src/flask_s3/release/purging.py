"""The CDN in front drops what a deploy or a rollback changes, while that is noted as unfinished.

So where one dies before the CDN was told, or the CDN would not listen, the next one finds the note,
and tells it of everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..assets import METADATA_PREFIX
from ..building.collect import key_prefixes
from ..cdn import choice, paths
from ..cdn.purger import Stale
from ..errors import PurgeError
from ..headers import kept
from ..settings import Settings
from ..store.flow import Flow, Job
from ..store.protocol import BYTES_IN_FLIGHT, Known
from .plan import Put
from .remote import Remote

if TYPE_CHECKING:
    from flask import Flask

_HEADS_IN_FLIGHT = 64
_WORTH_ASKING = 1000
"""New names: of more than that, none is asked for, and all count as known to the CDN."""
_SHOWN = 5


class Purging:
    """What the CDN of an app is told, and what became of it; where there is none, nothing happens.

    Args:
        app: whose static routes they are.
        settings: which CDN.

    Attributes:
        purged: the paths that it dropped, as `flask s3 purge` takes them.
        unpurged: those that it did not.
        errors: why, a sentence or two each.

    Raises:
        SettingsError: the settings name no CDN that can be told.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._purger = choice.purger(app, settings)
        self._settings = settings
        self._prefixes = key_prefixes(app, settings)
        self._receipts: list[object] = []
        self.purged: tuple[str, ...] = ()
        self.unpurged: tuple[str, ...] = ()
        self.errors: tuple[str, ...] = ()

    def overwritten(self, puts: Sequence[Put], remote: Remote, *, anyway: bool) -> set[str]:
        """Returns the keys, of those that are to be written, whose old object a CDN may hold.

        Args:
            puts: what is to be written; fingerprinted names left out.
            remote: the store before that.
            anyway: whether they are written right or not, so that the record tells what changes.
        """
        if self._purger is None or remote.bucket_missing:
            return set()
        record = {} if remote.record is None else remote.record.objects
        keys = {put.key for put in puts if not put.key.startswith(METADATA_PREFIX)}
        if anyway:
            keys -= {put.key for put in puts if _is_as_recorded(put, record.get(put.key))}
        there = keys & record.keys()
        if remote.listed is not None:
            return there | (keys & remote.listed.keys())
        return there | _found(keys - there, remote)

    def purge(self, keys: Iterable[str]) -> None:
        """Tells the CDN that objects changed."""
        if self._purger is not None:
            self._tell(paths.stale(keys, self._settings, self._prefixes))

    def everything(self) -> None:
        """Tells the CDN that any object may have changed."""
        if self._purger is not None:
            self._tell(paths.everything(self._settings, self._prefixes))

    def wait(self) -> None:
        """Returns once the CDN has dropped it all, or said that it will not."""
        for receipt in self._receipts:
            if self._purger is not None:
                try:
                    self._purger.wait(receipt)
                except PurgeError as error:
                    self.errors += (str(error),)
        self._receipts.clear()

    def _tell(self, stale: Stale) -> None:
        if self._purger is None or not stale:
            return
        try:
            self._receipts.append(self._purger.purge(stale.urls, stale.prefixes))
        except PurgeError as error:
            self.unpurged += stale.paths
            self.errors += (f"{error} {_advice(stale.paths)}",)
        else:
            self.purged += stale.paths


def _advice(stale: tuple[str, ...]) -> str:
    return (
        "What was published stands, but caches may go on with the bytes of before, until: "
        f"{paths.command(stale, most=_SHOWN)}"
    )


def _is_as_recorded(put: Put, known: Known | None) -> bool:
    """Returns whether an object that is written anyway changes nothing, as far as is remembered."""
    if known is None or known.headers is None:
        return False
    same = known.sha256 == put.object.body.sha256
    return same and kept(known.headers) == kept(put.object.headers)


def _found(keys: set[str], remote: Remote) -> set[str]:
    """Returns which keys there are, although the release in force does not hold them.

    A deploy deletes nothing: a file that was taken out and comes back meets its old object.
    """
    if len(keys) > _WORTH_ASKING:
        return keys
    jobs = (Job(key, partial(remote.store.head, key)) for key in sorted(keys))
    outcomes = Flow(jobs, most=_HEADS_IN_FLIGHT, most_bytes=BYTES_IN_FLIGHT)
    return {one.key for one in outcomes if one.error is not None or one.value is not None}
