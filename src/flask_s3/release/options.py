"""What `flask s3 plan` and `deploy` are asked for, in the form that a saved plan keeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a plan was asked for, as `flask s3 plan` takes it."""

    only: str | None = None
    include_hidden: bool = False
    verify_remote: bool = False
    force: bool = False
