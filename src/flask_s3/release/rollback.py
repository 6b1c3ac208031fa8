"""Brings an earlier release back, with nothing but what the bucket holds."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..assets import METADATA_PREFIX, Object
from ..building.collect import key_prefixes
from ..errors import LostRace, ReleaseError
from ..settings import Settings
from ..store.protocol import Known
from .following import follow, known_after, left_unfinished
from .history import before, history, no_release, one_of, refuse_lost
from .plan import Plan, changes
from .pointer import ROUNDS, Overtaken
from .publish import Progress, Published, publish
from .purging import Purging
from .records import Record, objects_of
from .releases import Current, Releases, warnings_of
from .remote import Remote, held_by, look
from .result import Result

if TYPE_CHECKING:
    from flask import Flask

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Rollback:
    """What a rollback is to do.

    Attributes:
        settings: the app's.
        remote: the store as it was found.
        releases: the app's.
        current: the release in force.
        target: the release to bring back.
        objects: what it needs.
        known: what the store holds of that.
        plan: which plain names have to be written.
        started: when, in seconds of the monotonic clock.
        purging: what the CDN in front is told.
    """

    settings: Settings
    remote: Remote
    releases: Releases
    current: Current
    target: Record
    objects: tuple[Object, ...]
    known: Mapping[str, Known]
    plan: Plan
    started: float
    purging: Purging


def prepare(app: Flask, settings: Settings, wanted: str | None) -> Rollback:
    """Returns what it takes to bring a release back.

    Args:
        app: whose.
        settings: the app's.
        wanted: the release's id, or how it begins; None: the one before the one in force.

    Raises:
        ReleaseError: there is no such release, or not every object of it is there.
        SettingsError: a setting cannot work.
        StoreError: the store does not answer, does not let us look, or has no such bucket.
    """
    started = time.monotonic()
    purging = Purging(app, settings)
    prefixes = key_prefixes(app, settings)
    remote = look(settings, app.name, prefixes, closely=False, trusting=False)
    releases = remote.releases
    if releases is not None and remote.bucket_missing:
        releases.stand()  # the store says that there is none, and what to do
    if releases is None or remote.current is None:
        raise no_release()
    kept = releases.kept()
    refuse_lost(kept, remote.current.release)
    found = history(kept, remote.current.release)
    if wanted is None and _is_half_done(remote, releases):
        target = found[0]
    else:
        target = _chosen(found, kept, wanted, remote.current)
    return _rollback(settings, remote, releases, target, started, purging)


def _is_half_done(remote: Remote, releases: Releases) -> bool:
    """Returns whether a rollback died before all plain names were written."""
    record, current = remote.record, remote.current
    if record is None or record.restores is None or current is None or not current.unfinished:
        return False
    return bool(left_unfinished(_listed(remote, releases, record)))


def _listed(remote: Remote, releases: Releases, record: Record) -> Remote:
    """Returns the store, with a listing of where a release's objects are."""
    folders = _folders(record.objects, record.prefix)
    looked = replace(remote, prefixes=(*folders, releases.bodies)).again()
    releases.looks_after(looked.current)
    return looked


def _chosen(
    found: list[Record], records: Mapping[str, Record], wanted: str | None, current: Current
) -> Record:
    if wanted is None:
        target = before(found)
        if target is None:
            raise ReleaseError("There is no release with other files before the one in force.")
    else:
        target = one_of(records, wanted)
        if found and target.origin == found[0].origin and not current.unfinished:
            raise ReleaseError(f"Release {target.id} is in force already: nothing was changed.")
    if target.manifest is None:
        raise ReleaseError(
            f"Release {target.id} cannot be brought back, since it was published without "
            "FLASKS3_FINGERPRINT: its files were overwritten in place. Deploy the app of that time."
        )
    return target


def _rollback(
    settings: Settings,
    remote: Remote,
    releases: Releases,
    target: Record,
    started: float,
    purging: Purging,
) -> Rollback:
    found, remote = remote, _listed(remote, releases, target)
    current = _still_in_force(found, remote)
    objects = tuple(objects_of(target, releases.fetch))
    known = held_by(remote, objects, target.objects)
    _refuse_missing(target, objects, known)
    first = left_unfinished(remote)
    known = known_after(known, first)
    plan = changes([made for made in objects if made.follows], known, ())
    plan = replace(plan, puts=(*first, *plan.puts))
    return Rollback(
        settings, remote, releases, current, target, objects, known, plan, started, purging
    )


def _still_in_force(before: Remote, now: Remote) -> Current:
    """Returns the release in force, which has to be the one that was there before."""
    was, is_ = before.current, now.current
    if was is None or is_ is None or was.release != is_.release:
        which = "none" if is_ is None else is_.release
        raise LostRace(
            f"Another release came into force meanwhile ({which}), and stays: see `flask s3 "
            "releases`, then decide again."
        )
    return is_


def _folders(keys: Iterable[str], prefix: str) -> list[str]:
    """Returns prefixes of listings that find all keys, and little else."""
    start = len(prefix) + 1 if prefix else 0
    ends = ((key, key.find("/", start)) for key in keys if not key.startswith(METADATA_PREFIX))
    return sorted({key[: end + 1] if end >= 0 else key for key, end in ends})


def _refuse_missing(
    target: Record, objects: Collection[Object], known: Mapping[str, Known]
) -> None:
    missing = [o.key for o in objects if not o.follows and not _is_there(o, known.get(o.key))]
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        are, have = ("is", "has") if len(missing) == 1 else ("are", "have")
        raise ReleaseError(
            f"Release {target.id} cannot be brought back, since {len(missing):,} of its objects "
            f"{are} gone or {have} other bytes: {', '.join(missing[:_SHOWN])}{more}. Deploy the "
            "app of that time."
        )


def _is_there(wanted: Object, held: Known | None) -> bool:
    if held is None:
        return False
    is_decoded = wanted.decoded is not None and wanted.decoded == held.decoded
    return is_decoded or held.sha256 == wanted.body.sha256


def carry_out(rollback: Rollback, progress: Progress, *, wait: bool = False) -> Result:
    """Brings the release back.

    Args:
        rollback: what is to be done.
        progress: told after each object.
        wait: return only when the CDN in front has dropped what changed.

    Raises:
        LostRace: another release came into force meanwhile.
        ReleaseError: objects of it were deleted meanwhile.
        StoreError: the store does not let us write, or look again.
    """
    purging = rollback.purging
    if rollback.current.unfinished:
        purging.everything()  # somebody died, perhaps before the CDN was told
    result = _to_the_end(rollback, progress)
    if wait:
        purging.wait()
    return replace(
        result, purged=purging.purged, unpurged=purging.unpurged, purge_errors=purging.errors
    )


def _to_the_end(rollback: Rollback, progress: Progress) -> Result:
    releases, target, purging = rollback.releases, rollback.target, rollback.purging
    try:
        for _ in range(ROUNDS):
            try:
                return _carried_out(rollback, progress)
            except Overtaken:
                rollback = _rollback(
                    rollback.settings, rollback.remote, releases, target, rollback.started, purging
                )
    finally:
        if releases.is_noted or purging.unpurged:
            releases.leave_unfinished()
    raise LostRace(f"{ROUNDS} times somebody else moved the pointer: see who deploys.")


def _carried_out(rollback: Rollback, progress: Progress) -> Result:
    releases, current, target = rollback.releases, rollback.current, rollback.target
    send = partial(_sent, rollback, progress)
    first, then = rollback.plan.stages()
    if first.puts:
        current = releases.begin(current)
    published = send(first)
    if published.failures or published.unsent:
        return _result(rollback, published, current)
    record = releases.new_record(
        _objects(rollback),
        target.manifest,
        target.copies,
        current,
        restores=target.origin,
        commit=target.commit,
    )
    moved = releases.publish(record, current, unfinished=bool(then.puts))
    followed, _ = follow(releases, moved, then, send, published.stored.values())
    published.add(followed)
    return _result(rollback, published, moved)


def _sent(rollback: Rollback, progress: Progress, plan: Plan) -> Published:
    """Writes plain names, the only ones that a rollback writes, and tells the CDN."""
    published = publish(
        plan,
        rollback.remote.store,
        progress,
        public=True,
        concurrency=rollback.settings.concurrency,
    )
    unsent = set(published.unsent)
    rollback.purging.purge(put.key for put in plan.puts if put.key not in unsent)
    return published


def _objects(rollback: Rollback) -> dict[str, Known]:
    """Returns what the store holds once the release is back."""
    _, then = rollback.plan.stages()
    after = known_after(rollback.known, then.puts)
    return {made.key: after[made.key] for made in rollback.objects}


def _result(rollback: Rollback, published: Published, current: Current) -> Result:
    failures = (*published.failures, *published.not_sent())
    return Result(
        uploaded=tuple(sorted(published.stored)),
        kept=tuple(keep.key for keep in rollback.plan.keeps),
        deleted=(),
        failed=tuple(failure.key for failure in failures),
        failures=failures,
        warnings=tuple(warnings_of(current, rollback.remote.store.address)),
        bytes=published.bytes,
        seconds=time.monotonic() - rollback.started,
        release=current.release,
        interrupted=published.interrupted,
    )
