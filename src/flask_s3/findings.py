"""What a check came to: good or not, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """How much a finding matters; the greatest is the worst."""

    OK = 0
    WARNING = 1
    ERROR = 2

    @property
    def word(self) -> str:
        """As people and JSON read it: `ok`, `warning`, `error`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        check: which one, in a word or two that never change: `public access`.
        verdict: how it stands.
        what: what was found, one sentence.
        why: why that matters; empty where all is well.
        fix: what mends it: a command to paste where there is one; empty where all is well.
    """

    check: str
    verdict: Verdict
    what: str
    why: str = ""
    fix: str = ""


def worst(findings: Iterable[Finding]) -> Verdict:
    """Returns the worst verdict; `OK` where there is none."""
    return max((finding.verdict for finding in findings), default=Verdict.OK)
