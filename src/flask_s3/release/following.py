"""The plain names follow the release in force: they are written once it is, and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..errors import StoreError
from ..store.protocol import Known, Stored
from . import pointer
from .plan import Plan, Put, unfinished
from .publish import Published, expected
from .records import objects_of
from .releases import Current, Releases
from .remote import Remote, held_by

_REASON = "another release came into force while this one's plain names were written"


def left_unfinished(remote: Remote) -> tuple[Put, ...]:
    """Returns the plain names that the release in force may lack, since a deploy died there."""
    record, current, releases = remote.record, remote.current, remote.releases
    if record is None or current is None or releases is None:
        return ()
    if not current.unfinished:
        return ()
    objects = objects_of(record, releases.fetch)
    known = held_by(remote, objects)
    if remote.listed is None:  # then there is no telling which plain names stand
        known = {key: held for key, held in known.items() if key not in record.copies}
    return unfinished(objects, known, record.id)


def known_after(known: Mapping[str, Known], puts: Iterable[Put]) -> Mapping[str, Known]:
    """Returns what the store will hold once copies have been made.

    Args:
        known: what it holds, the copies' sources among it.
        puts: the copies.
    """
    after = dict(known)
    for put in puts:
        source = known.get(put.object.copy_of or "")
        # A copy has its source's ETag, unless that went up in parts.
        etag = "" if source is None else source.etag
        after[put.key] = expected(put.object, Stored(etag, modified=0.0))
    return after


def follow(
    releases: Releases,
    current: Current,
    plan: Plan,
    send: Callable[[Plan], Published],
    written: Iterable[Known],
) -> tuple[Published, Current]:
    """Writes the plain names of the release that is in force now, and notes that they stand.

    Args:
        releases: the app's.
        current: the release.
        plan: what is to be written.
        send: publishes a plan.
        written: which of its plain names have been written before.

    Returns:
        What became of it, and the release in force at the end of it.
    """
    followed = send(plan)
    if followed.failures or followed.unsent:
        return followed, current
    try:
        return followed, _finish(releases, current, followed, written, send)
    except StoreError as error:
        reason = f"That the plain names are published could not be recorded: {error}"
        followed.fail(pointer.key_of(releases.folder), reason, error)
        return followed, current


def _finish(
    releases: Releases,
    current: Current,
    followed: Published,
    before: Iterable[Known],
    send: Callable[[Plan], Published],
) -> Current:
    """Notes that the plain names of a release stand.

    Where another release came into force meanwhile, ours may have been written over its plain
    names: so those of that one are written once more, until nobody came in between.

    Raises:
        StoreError: it could not be noted.
    """
    written = [*before, *followed.stored.values()]
    while True:
        last = max((known.modified for known in written), default=None)
        now = releases.finish(current, last)
        if now.release == current.release or now.record is None:
            return now
        objects = objects_of(now.record, releases.fetch)
        puts = tuple(Put(made, _REASON) for made in objects if made.follows)
        sent = send(Plan(puts, (), ()))
        followed.failures += sent.failures
        followed.unsent += sent.unsent
        if not puts or sent.failures or sent.unsent:
            return now  # what ours overwrote there, the next deploy finds by our note
        current, written = now, list(sent.stored.values())
