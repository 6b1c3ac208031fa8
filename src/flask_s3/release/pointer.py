"""The pointer: one small object that says which release is in force, moved by conditional writes.

Each write carries an id of its own, so that no two states have the same ETag, and a writer whose
answer was lost on its way finds out whether the pointer is as it left it (Amazon S3 User Guide,
"How to prevent object overwrites with conditional writes").
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any

from ..assets import BytesBody
from ..errors import StoreError
from ..store.protocol import Condition, Fetched, Headers, Reads, Store, Stored
from .records import VERSION, is_id, loads

JSON = {"content-type": "application/json", "cache-control": "no-store"}
GZIPPED = {**JSON, "content-encoding": "gzip"}
ROUNDS = 20
"""How often a command looks again and goes on when somebody else moved the pointer meanwhile."""
_ATTEMPTS = 5
# Refusals after which nothing was written; after any other error it is looked whether it was.
_CERTAIN = frozenset({400, 401, 403, 405, 411, 413})


@dataclass(frozen=True, slots=True)
class State:
    """What the pointer says.

    Attributes:
        release: the id of the release in force; None when there is none (any more), or what stands
            there cannot be read.
        unfinished: whose deploys began to overwrite objects, or to let plain names follow, and have
            not said that they came to an end.
        modified: when the last plain name of the release was written, in seconds since the epoch.
        sweep: the id of the sweep that is under way: objects are being deleted.
        swept: the id of the last sweep that came to an end.
        fresh: whether no release was in force that the next one comes after: it is the app's
            first, or all others were destroyed.
        readable: whether a published object was found to be readable by anybody.
        acls: whether objects are sent with ACLs, which the bucket may have disabled.
        conditions: whether the store obeys the conditions of conditional writes; None when nobody
            has found out yet.
        made: an id of this pointer: where it was deleted and made again, it is another one.
        id: of this state alone.
    """

    release: str | None = None
    unfinished: tuple[str, ...] = ()
    modified: float = 0.0
    sweep: str | None = None
    swept: str | None = None
    fresh: bool = False
    readable: bool = False
    acls: bool = True
    conditions: bool | None = True
    made: str = field(default_factory=lambda: secrets.token_hex(8))
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def is_damaged(self) -> bool:
        """Whether what stands there is none of our states."""
        return not self.id

    def changed(self, **changes: Any) -> State:  # noqa: ANN401
        """Returns a state that differs in this."""
        return replace(self, **changes, id=secrets.token_hex(8))


@dataclass(frozen=True, slots=True)
class Stand:
    """The pointer as it stands.

    Attributes:
        state: what it says.
        etag: its own, for the next conditional write.
        age: for how many seconds it has stood so, by the store's clock.
    """

    state: State
    etag: str
    age: float = 0.0


class Overtaken(Exception):
    """Somebody else moved the pointer since it was read.

    Attributes:
        stand: as they left it; None when it is gone.
    """

    def __init__(self, stand: Stand | None) -> None:
        super().__init__("somebody else moved the pointer")
        self.stand = stand


def read(store: Reads, folder: str) -> Stand | None:
    """Returns the pointer of the app whose folder it is, None when there is none.

    Raises:
        StoreError: the store does not let us look.
    """
    fetched = store.get(key_of(folder))
    return None if fetched is None else _stand(fetched)


def key_of(folder: str) -> str:
    """Returns the key of an app's pointer."""
    return f"{folder}current"


def move(store: Store, folder: str, state: State, after: Stand | None) -> Stand:
    """Writes the pointer where nobody moved it since it was read; returns it as it stands now.

    Where the store refuses conditions, it is written without, and the state says so. Where it is
    not known to obey them, the pointer is read before.

    Raises:
        Overtaken: somebody moved it.
        StoreError: it could not be written.
    """
    if after is not None and after.state.conditions is not True:
        _refuse_moved(store, folder, after)
    if after is not None and after.state.conditions is False:
        return write(store, folder, state.changed(conditions=False), None)
    condition = Condition(None if after is None else after.etag)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return write(store, folder, state, condition)
        except StoreError as error:
            if error.status in _CERTAIN:
                raise
            there = read(store, folder)
            if there is not None and there.state.id == state.id:
                return there  # ours: the answer was lost on its way
            if (None if there is None else there.etag) != condition.etag:
                raise Overtaken(there) from error
            if error.status == 501 or (error.status == 412 and attempt > 1):
                return write(store, folder, state.changed(conditions=False), None)
            if error.status not in {404, 409, 412} or attempt == _ATTEMPTS:
                raise
    raise AssertionError


def _refuse_moved(store: Store, folder: str, after: Stand) -> None:
    there = read(store, folder)
    if there is None or there.state.id != after.state.id:
        raise Overtaken(there)


def write_first(store: Store, key: str, data: bytes, headers: Headers = JSON) -> None:
    """Writes one of our objects, under whose random name there is none yet.

    Raises:
        StoreError: it could not be written.
    """
    try:
        store.write(key, data, headers, Condition(None))
    except StoreError as error:
        if error.status not in {412, 501}:
            raise
        # What is there is ours, and the first answer was lost on its way; or the store knows no
        # conditions.
        if store.get(key) is None:
            store.write(key, data, headers, None)


def probe(store: Store, folder: str, state: State) -> Callable[[], bool | None]:
    """Asks whether the store refuses what the condition of a write rules out.

    Asked by writing the pointer as it was just written: nothing changes where it is not refused.

    Returns:
        What waits for the answer, which is None where there is no telling.
    """
    data = _to_json(state)
    body = BytesBody(data, sha256(data).hexdigest())
    asked = [
        store.put(key_of(folder), body, JSON, condition=condition)
        for condition in (Condition(None), Condition("0" * 32))
    ]

    def obeys() -> bool | None:
        refused = [_is_refused(answer) for answer in asked]
        return False if False in refused else None if None in refused else True

    return obeys


def _is_refused(answer: Future[Stored]) -> bool | None:
    try:
        answer.result()
    except StoreError as error:
        if error.transient and error.status != 409:  # the answer to two conditional writes at once
            return None
        return error.status != 501
    return False


def write(store: Store, folder: str, state: State, condition: Condition | None) -> Stand:
    """Writes the pointer, where the condition holds; returns it as it stands now."""
    return Stand(state, store.write(key_of(folder), _to_json(state), JSON, condition).etag)


def _to_json(state: State) -> bytes:
    return json.dumps({"version": VERSION, **asdict(state)}).encode()


def _stand(fetched: Fetched) -> Stand:
    value = loads(fetched.body)
    if value.get("version") != VERSION:
        return Stand(State(made="", id=""), fetched.etag, fetched.age)
    unfinished, modified = value.get("unfinished"), value.get("modified")
    conditions = value.get("conditions", True)
    state = State(
        release=_id(value.get("release")),
        unfinished=tuple(map(str, unfinished)) if isinstance(unfinished, list) else (),
        modified=float(modified) if isinstance(modified, int | float) else 0.0,
        sweep=_id(value.get("sweep")),
        swept=_id(value.get("swept")),
        fresh=value.get("fresh") is True,
        readable=value.get("readable") is True,
        acls=value.get("acls") is not False,
        conditions=conditions if isinstance(conditions, bool) else None,
        made=str(value.get("made")),
        id=str(value.get("id")),
    )
    return Stand(state, fetched.etag, fetched.age)


def _id(value: object) -> str | None:
    return str(value) if is_id(value) else None
