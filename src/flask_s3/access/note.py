"""What set-up did to a bucket, as a value and as JSON: so that exactly that can be undone.

There is one note for each bucket, among our records. It tells of every app whose set-up changed
something, or relies on what another one's did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..assets import METADATA_PREFIX
from ..errors import StoreError
from .facts import Part

KEY = f"{METADATA_PREFIX}setup.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Was:
    """What stood somewhere before a change, and after it."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Grant:
    """What was done to one of our statements, in key prefixes.

    Attributes:
        before: what it granted when set-up first found it.
        added: what set-up added.
        taken: what set-up took away, for a bucket that is to be private.
        distribution_arn: of the CloudFront distribution that it lets read; None: it is anybody.
    """

    before: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    distribution_arn: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """What an app needs of what was set up.

    Attributes:
        access: how browsers reach its files.
        prefixes: its key prefixes, by the name of the statement that grants them.
        origins: of the pages that use its files.
    """

    access: str
    prefixes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Note:
    """What set-up did.

    Attributes:
        switches: ownership, Block Public Access and encryption, where they were changed.
        grants: what was done to our statements, by their name.
        policy: the bucket policy's text before the first statement was added.
        cors: our CORS rule before and after.
        apps: who needs it, by the app's name and prefix.
    """

    switches: Mapping[Part, Was] = field(default_factory=dict)
    grants: Mapping[str, Grant] = field(default_factory=dict)
    policy: str | None = None
    cors: Was | None = None
    apps: Mapping[str, User] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to undo."""
        return not (self.switches or self.grants or self.cors)

    def others(self, app: str) -> tuple[User, ...]:
        """Returns what all apps but one need."""
        return tuple(user for name, user in self.apps.items() if name != app)

    def granted_to_others(self, app: str, sid: str) -> frozenset[str]:
        """Returns the key prefixes that other apps need of a statement."""
        sets = (user.prefixes.get(sid, frozenset()) for user in self.others(app))
        return frozenset().union(*sets)

    def noting(self, app: str, user: User | None) -> Note:
        """Returns the note with what an app needs; without the app for None."""
        rest = {name: one for name, one in self.apps.items() if name != app}
        return replace(self, apps=rest if user is None else {**rest, app: user})


def app_key(name: str, key_prefix: str) -> str:
    """Returns how a note names an app, which may publish under several prefixes."""
    return f"{name}, prefix {key_prefix!r}"


def dumps(note: Note) -> bytes:
    """Returns a note as JSON."""
    value = {"version": _VERSION, **asdict(note)}
    value["switches"] = {part.value: was for part, was in value["switches"].items()}
    return json.dumps(value, indent=1, default=_plain, ensure_ascii=False).encode()


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(value)


def loads(data: bytes, bucket: str) -> Note:
    """Returns the note that JSON tells of.

    Raises:
        StoreError: it is damaged, or of a later Flask-S3.
    """
    try:
        value = json.loads(data)
        if value["version"] != _VERSION:
            raise _unreadable(bucket, "is of a later Flask-S3: set up with that one.")
        return Note(
            switches={Part(name): Was(**was) for name, was in value["switches"].items()},
            grants={sid: _grant(grant) for sid, grant in value["grants"].items()},
            policy=value["policy"],
            cors=None if value["cors"] is None else Was(**value["cors"]),
            apps={
                app: User(user["access"], _sets(user["prefixes"]), frozenset(user["origins"]))
                for app, user in value["apps"].items()
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(
            bucket,
            "is damaged, so nobody knows what set-up did: see what the bucket grants, then delete "
            "that object.",
        ) from error


def _grant(value: Mapping[str, Any]) -> Grant:
    prefixes = {name: members for name, members in value.items() if name != "distribution_arn"}
    return Grant(**_sets(prefixes), distribution_arn=value["distribution_arn"])


def _sets(value: Mapping[str, list[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(members) for name, members in value.items()}


def _unreadable(bucket: str, why: str) -> StoreError:
    text = f"The note of earlier set-ups ({KEY} in bucket {bucket!r}) {why}"
    return StoreError(text, code="DamagedNote", status=None, operation="GetObject")
