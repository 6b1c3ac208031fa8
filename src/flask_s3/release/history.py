"""Which releases there were, one after the other; which of them may go; how two of them differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import ReleaseError
from .records import Record, Sweep


def history(records: Mapping[str, Record], current: str | None) -> list[Record]:
    """Returns the releases that were in force, the one in force first.

    Each names the one before it. Where that one's record is lost, the newest older one comes next.

    Args:
        records: by id.
        current: the id of the release in force.
    """
    found: list[Record] = []
    left = dict(records)
    record = left.pop(current or "", None)
    while record is not None:
        found.append(record)
        if record.after is None:
            break
        record = left.pop(record.after, None) or _newest_before(record, left)
        left.pop(record.id if record else "", None)
    return found


def _newest_before(record: Record, left: Mapping[str, Record]) -> Record | None:
    older = [other for other in left.values() if (other.time, other.id) < (record.time, record.id)]
    return max(older, key=lambda other: (other.time, other.id), default=None)


def one_of(records: Mapping[str, Record], wanted: str) -> Record:
    """Returns the release whose id is, or begins with, what is wanted.

    Raises:
        ReleaseError: there is none, or more than one.
    """
    # Nothing is how every id begins, and what a variable of a script holds that was never set.
    matching = sorted(id_ for id_ in records if wanted and id_.startswith(wanted))
    if wanted in records:
        return records[wanted]
    if len(matching) == 1:
        return records[matching[0]]
    if matching:
        raise ReleaseError(f"{wanted!r} may be any of {', '.join(matching)}: give more of the id.")
    raise ReleaseError(
        f"There is no release {wanted!r}: `flask s3 releases` lists those there are."
    )


def no_release() -> ReleaseError:
    """Returns the error for an app that never published one."""
    return ReleaseError("This app has no release yet: `flask s3 deploy` makes the first.")


def refuse_lost(records: Mapping[str, Record], current: str | None) -> None:
    """Refuses to go on where nothing tells which release is in use.

    Raises:
        ReleaseError: there are releases, but the pointer to the one in force, or its record, is
            lost.
    """
    if records and current not in records:
        raise ReleaseError(
            f"There are {len(records):,} releases, but nothing tells which is in use, since the "
            "pointer to it or its record is lost: deploy again."
        )


def before(found: Sequence[Record]) -> Record | None:
    """Returns the release to go back to: the newest one that is not as the one in force.

    After a rollback, that is one before the release that was brought back. A deploy that only
    repaired what was changed in the bucket made a release that is as the one before it.

    Args:
        found: as `history` returns them.
    """
    if not found:
        return None
    origin, older = found[0].origin, found[1:]
    ids = [record.id for record in older]
    if origin in ids:
        older = older[ids.index(origin) + 1 :]
    elif found[0].restores is not None:  # its record was pruned; ids begin with the time
        older = [record for record in older if record.origin < origin]
    now = _published(found[0])
    return next((r for r in older if r.origin != origin and _published(r) != now), None)


def _published(record: Record) -> tuple[object, object]:
    objects = {key: (known.sha256, known.headers) for key, known in record.objects.items()}
    return record.manifest, objects


@dataclass(frozen=True, slots=True)
class Gone:
    """Take a release away."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class Retired:
    """What a prune is to take away.

    Attributes:
        releases: those that go; of those that were in force, the newest first.
        kept: the releases that stay.
        keys: of the objects to which none that stays refers.
    """

    releases: tuple[Gone, ...]
    kept: tuple[Record, ...]
    keys: tuple[str, ...]


def retired(
    records: Mapping[str, Record],
    current: str | None,
    sweeps: Iterable[Sweep],
    *,
    keep: int,
    older_than: timedelta,
    now: datetime,
) -> Retired:
    """Returns what may go.

    A release goes when it is not among the newest `keep` that were in force, and another one took
    its place longer ago than `older_than`. One that never came into force, since its deploy died
    or was overtaken, goes when it is older than that. What an earlier prune did not come to the
    end of goes too.

    Args:
        records: every release of the app, by id.
        current: the id of the one in force, which stays.
        sweeps: that died.
        keep: how many stay, the one in force included.
        older_than: how long one stays after it was superseded.
        now: when.
    """
    sweeps = list(sweeps)
    condemned = {id_ for sweep in sweeps for id_ in sweep.releases} - {current}
    found = [record for record in history(records, current) if record.id not in condemned]
    begun = "an earlier prune began with it"
    gone = [Gone(records[id_], begun) for id_ in condemned & records.keys()]
    for place, record in enumerate(found):
        superseded = found[place - 1].time if place else None
        if superseded and place >= keep and _is_older(superseded, now - older_than):
            gone.append(
                Gone(record, f"superseded at {superseded}, and not among the newest {keep}")
            )
    in_force = {record.id for record in found} | condemned
    never = [record for id_, record in records.items() if id_ not in in_force]
    gone += [
        Gone(record, "it never came into force")
        for record in never
        if _is_older(record.time, now - older_than)
    ]
    left = {one.record.id for one in gone}
    kept = tuple(record for record in (*found, *never) if record.id not in left)
    stale = {key for one in gone for key in one.record.objects}
    stale |= {key for sweep in sweeps for key in sweep.keys}
    return Retired(
        tuple(gone),
        kept,
        tuple(sorted(stale - {key for record in kept for key in record.objects})),
    )


def _is_older(time: str, moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(time) < moment
    except (ValueError, TypeError):
        return False


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """How a file differs between two releases.

    Attributes:
        name: the file's, or the object's key where releases have no manifest.
        kind: `added`, `removed` or `changed`.
        before: its size in bytes in the first; None where it is not there.
        after: the same in the second.
    """

    name: str
    kind: str
    before: int | None
    after: int | None


def differences(first: Record, second: Record) -> list[Change]:
    """Returns how the files of two releases differ, in the order of their names."""
    one, two = dict(_files(first)), dict(_files(second))
    found = []
    for name in sorted({*one, *two}):
        had, has = one.get(name), two.get(name)
        if had == has:
            continue
        kind = "added" if had is None else "removed" if has is None else "changed"
        found.append(Change(name, kind, had and had[1], has and has[1]))
    return found


def _files(record: Record) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yields each file's plain key, its digest and its size."""
    if record.manifest is None:
        yield from ((key, (str(o.sha256), o.size)) for key, o in record.objects.items())
        return
    start = f"{record.prefix}/" if record.prefix else ""
    for path, (name, *_) in record.manifest.get("entries", {}).items():
        key = start + path[: path.rfind("/") + 1] + name
        known = record.objects.get(key)
        if known is not None:
            yield start + path, (known.decoded or str(known.sha256), known.size)
