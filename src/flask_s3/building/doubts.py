"""What hardly anybody means to publish: one sentence a kind, however many files there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import guard

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Doubt:
    """A kind of files that are hardly meant to be public.

    Attributes:
        one: what is said of one.
        many: what is said of several, after their number.
        refused: what is said of one that is refused, without its path.
        why: what is wrong; `{it}` stands for the file or the files.
        mend: what to do, with the same.
    """

    one: str
    many: str
    refused: str
    why: str
    mend: str

    def refusal(self, filename: str) -> str:
        """Returns why a file is not published, where such files are refused."""
        mend = self.mend.format(it="it")
        return f"{self.refused}, which FLASKS3_STRICT refuses: {mend}, or {let_through(filename)}"

    def told_of_one(self, shown: str, filename: str) -> str:
        """Returns what is said about a file that is published all the same."""
        return f"{shown} {self.one}: {self._advice('it')}, or {let_through(filename)}"

    def told_of_many(self, shown: Sequence[str]) -> str:
        """Returns what is said about files that are published all the same; the first are named."""
        more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
        named = f"{', '.join(shown[:_NAMED])}{more}"
        return (
            f"{len(shown)} {self.many} ({named}): {self._advice('them')}, or let them through: "
            "FLASKS3_ALLOW takes their paths, relative to the static folder."
        )

    def _advice(self, it: str) -> str:
        mend = self.mend[:1].upper() + self.mend[1:]
        return f"{self.why}. {mend}".format(it=it)


def let_through(filename: str) -> str:
    """Returns how to publish a file all the same: the end of a sentence, to be pasted."""
    return f"let it through: FLASKS3_ALLOW = [{json.dumps(filename, ensure_ascii=False)}]."


class Doubts:
    """Collects files by kind, each once."""

    def __init__(self) -> None:
        self._shown: dict[Doubt, dict[str, str]] = {}

    def add(self, doubt: Doubt, shown: str, filename: str) -> None:
        """Adds a file, or files that belong together, of which one may be let through."""
        self._shown.setdefault(doubt, {})[shown] = filename

    def all(self) -> Iterator[str]:
        """Yields the sentences."""
        for doubt, shown in self._shown.items():
            if len(shown) == 1:
                yield doubt.told_of_one(*next(iter(shown.items())))
            else:
                yield doubt.told_of_many(list(shown))


def of_litter(rule: guard.Rule) -> Doubt:
    """Returns the doubt about files with such names."""
    return Doubt(
        f"is {rule.what}, by its name",
        f"files are {rule.several or rule.what}, by their names",
        f"it is {rule.what}, by its name",
        "anybody will be able to read {it}",
        "remove {it}, leave {it} out with FLASKS3_IGNORE",
    )


def of_twins(keys: Sequence[str]) -> Doubt:
    """Returns the doubt about names that some machines take for one."""
    differ_in_case = len({key.casefold() for key in keys}) < len(keys)
    return _SAME_LETTERS if differ_in_case else _SAME_LOOKS


def _twins(what: str, why: str) -> Doubt:
    return Doubt(
        f"differ only {what}",
        f"pairs of files differ only {what}",
        f"it differs from another file only {what}",
        why,
        "rename one of the two",
    )


_SAME_LETTERS = _twins(
    "in case", "macOS and Windows take them for one file, so a checkout there publishes but one"
)
_SAME_LOOKS = _twins(
    "in their Unicode form",
    "they look alike and have two URLs, and macOS takes them for one file",
)
INLINE_MAP = Doubt(
    "has a source map inside",
    "files have source maps inside",
    "it has a source map inside",
    "anybody will be able to read the source",
    "build {it} without one",
)
