"""What a deploy did: a value to look at, and the error that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import FlaskS3Error

if TYPE_CHECKING:
    from ..assets import Refuse


@dataclass(frozen=True, slots=True)
class Result:
    """What a deploy did.

    Attributes:
        uploaded: keys that were written.
        kept: keys that were right already.
        deleted: keys that were removed.
        failed: keys (or paths, where a file has no key) that could not be published.
        failures: the same, each with its reason.
        warnings: what was noticed, a sentence each.
        bytes: how many were sent.
        copied: how many of the uploaded keys the store copied in the bucket.
        seconds: how long it took.
        release: the id of the release in force afterwards; None before the first.
        interrupted: whether Ctrl-C kept it from going on.
        purged: the paths of which the CDN was told that they changed; a last `*` is the rest.
        unpurged: those that it would not take.
        purge_errors: why it would not, or was not done in time.
    """

    uploaded: tuple[str, ...]
    kept: tuple[str, ...]
    deleted: tuple[str, ...]
    failed: tuple[str, ...]
    failures: tuple[Refuse, ...]
    warnings: tuple[str, ...]
    bytes: int
    seconds: float
    release: str | None
    interrupted: bool = False
    purged: tuple[str, ...] = ()
    unpurged: tuple[str, ...] = ()
    purge_errors: tuple[str, ...] = ()
    copied: int = 0


class PublishError(FlaskS3Error):
    """Some keys could not be published; every other one was.

    Attributes:
        result: what became of each key.
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result
