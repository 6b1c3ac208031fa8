"""Tries out, on a tiny object of its own, what the store makes of conditions and checksums."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from hashlib import sha256

from ..assets import BytesBody
from ..errors import StoreError
from ..findings import Finding, Verdict
from ..release.pointer import JSON
from ..store.protocol import Condition, Store, Stored
from .diagnosis import fix_of

# What another doctor left there who was killed, in seconds; younger ones may be at work.
_ABANDONED = 3600.0
_ATTEMPTS = 3
_NO_ETAG = "0" * 32


class NotAllowed(Exception):
    """The credentials may not take the probe away again, so it was not written."""


def tried(store: Store, folder: str) -> list[Finding]:
    """Returns the findings on writing, conditional writes and checksums.

    Args:
        store: the bucket.
        folder: of the app's records; nothing but the probe is touched in there.

    Raises:
        NotAllowed: the probe could not be taken away again.
        StoreError: the store did not let us look.
    """
    key = f"{folder}probe-{secrets.token_hex(8)}"
    with _taken_away(store, key):
        try:
            written = _put(store, key, b"1", None)
        except StoreError as error:
            return [_may_not_write(error)]
        may = Finding("writing", Verdict.OK, "The credentials may write, and delete, our records.")
        return [may, _conditions(store, key, written), _checksums(store, key)]


@contextmanager
def _taken_away(store: Store, key: str) -> Iterator[None]:
    """Sees to it that a probe is gone in the end, however that comes; and older ones of others."""
    folder = key.rpartition("probe-")[0]
    old = time.time() - _ABANDONED
    left = [line.key for line in store.list(f"{folder}probe-") if line.modified < old]
    for error in store.delete([key, *left]).values():
        if error.code in {"AccessDenied", "403"}:
            raise NotAllowed
        raise error
    try:
        yield
    finally:
        _delete(store, key)


def _delete(store: Store, key: str) -> None:
    for _ in range(_ATTEMPTS):
        failed = store.delete([key])
        if not failed:
            return
    raise failed[key]


def _put(store: Store, key: str, data: bytes, condition: Condition | None) -> Stored:
    """Writes the probe, once more where the store turns out not to take it in its first form."""
    body = BytesBody(data, sha256(data).hexdigest())
    try:
        return _ended(store.put(key, body, JSON, condition=condition))
    except StoreError as error:
        if not error.learned:
            raise
    return _ended(store.put(key, body, JSON, condition=condition))


def _ended(write: Future[Stored]) -> Stored:
    """Returns what came of a write; interrupted, it waits too: nothing may arrive after the end."""
    try:
        return write.result()
    except KeyboardInterrupt:
        wait([write])
        raise


def _may_not_write(error: StoreError) -> Finding:
    fix = fix_of(error, "flask s3 policy --for deploy")
    return Finding("writing", Verdict.ERROR, str(error), "A deploy publishes nothing.", fix)


def _conditions(store: Store, key: str, written: Stored) -> Finding:
    ignored = [
        name
        for name, condition in (("If-None-Match", None), ("If-Match", _NO_ETAG))
        if _accepted(store, key, Condition(condition))
    ]
    if ignored:
        return _no_conditions(f"does not obey {' and '.join(ignored)}")
    if not _accepted(store, key, Condition(written.etag)):
        return _no_conditions("refuses every write with If-Match")
    return Finding("conditional writes", Verdict.OK, "The store obeys If-Match and If-None-Match.")


def _accepted(store: Store, key: str, condition: Condition) -> bool:
    """Returns whether the probe was written under the condition; raises what is no answer to it."""
    try:
        _put(store, key, b"2", condition)
    except StoreError as error:
        if error.status in {404, 409, 412, 501}:
            return False
        raise
    return True


def _no_conditions(what: str) -> Finding:
    return Finding(
        "conditional writes",
        Verdict.WARNING,
        f"The store {what}.",
        "Two deploys, or a deploy and a prune, at the same time can undo each other's work.",
        "Let only one run at a time: a lock, or one job at a time in CI.",
    )


def _checksums(store: Store, key: str) -> Finding:
    spoiled = BytesBody(b"3", sha256(b"4").hexdigest())
    try:
        _ended(store.put(key, spoiled, JSON))
    except StoreError as error:
        if error.status != 400:
            raise
        return Finding("checksums", Verdict.OK, "The store refuses bytes that were spoiled.")
    return Finding(
        "checksums",
        Verdict.WARNING,
        "The store takes bytes that are not those of their checksum.",
        "What is spoiled on its way there is published all the same.",
        "Upgrade the store, reach it by https, or check afterwards: flask s3 verify",
    )
