"""The report as one HTML page that asks nobody for anything."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from string import Template
from typing import Any

from ..amounts import count, size
from ..assets import Level
from .facts import KINDS, File, Report, policy


@dataclass(frozen=True, slots=True)
class Parts:
    """What every report has in common.

    Attributes:
        form: the page, with `$name` where something is filled in.
        style: its style sheet.
        library: the chart library.
        script: what fills tables and chart from the data in the page.
    """

    form: str
    style: str
    library: str
    script: str


def page(report: Report, parts: Parts) -> bytes:
    """Returns the report as a page: the same for the same report."""
    scripts = " ".join(_hash(text) for text in (parts.library, parts.script))
    html = Template(parts.form).substitute(
        policy=(
            f"default-src 'none'; script-src {scripts}; style-src {_hash(parts.style)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        app=escape(report.app),
        made=_made(report),
        figures="\n".join(_figures(report)),
        saved=_saved(report),
        problems=_problems(report),
        changes=_changes(report),
        refused=_refused(report),
        style=parts.style,
        data=_data(report),
        library=parts.library,
        script=parts.script,
    )
    # A path may have bytes that are no UTF-8, which Python keeps as lone surrogates.
    return html.encode("utf-8", "replace")


def _hash(text: str) -> str:
    digest = base64.b64encode(sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


# -- what can be read before any script has run


def _made(report: Report) -> str:
    commit = f" of commit <code>{escape(report.commit[:12])}</code>" if report.commit else ""
    return f"Made {escape(report.made)}{commit}"


def _figures(report: Report) -> Iterator[str]:
    """Yields the figures at the top, each a term and what is said of it."""
    yield _figure("Files", f"{len(report.files):,}", size(report.size))
    for codec in report.codecs:
        sent = report.sent(codec)
        yield _figure(f"With {codec}", size(sent), _less(report.size, sent))
    yield _figure("In the bucket", size(report.stored), count(report.objects, "object"))
    errors = sum(problem.level is Level.ERROR for problem in report.problems)
    others = len(report.problems) - errors
    yield _figure(
        "Dead references", f"{errors:,}", count(others, "remark"), "#wrong", alarm=bool(errors)
    )
    of = f"of {count(len(report.files), 'file')}"
    yield _figure("Nobody refers to", f"{report.orphans:,}", of, "#files", "Nobody refers to it")
    again, doubled = report.duplicates
    yield _figure("Duplicates", f"{again:,}", size(doubled), "#files", "Duplicates")
    if report.release is not None:
        changes = len(report.release.changes)
        yield _figure("Changes", f"{changes:,}", "since the release", "#difference")


def _figure(
    term: str, value: str, more: str, target: str = "", show: str = "", *, alarm: bool = False
) -> str:
    """Returns one figure; its target is where more is told, and what of the files is shown then."""
    data = f' data-show="{show}"' if show else ""
    name = f'<a href="{target}"{data}>{escape(term)}</a>' if target else escape(term)
    kind = ' class="alarm"' if alarm else ""
    return (
        f"<div><dt>{name}</dt><dd{kind}>{escape(value)}</dd>"
        f'<dd class="more">{escape(more)}</dd></div>'
    )


def _saved(report: Report) -> str:
    if not report.codecs:
        return (
            "No file has a compressed form. <code>FLASKS3_ENCODINGS</code> publishes some, with "
            "<code>FLASKS3_FINGERPRINT</code>."
        )
    said = [
        f"{escape(codec)} saves {size(report.size - report.sent(codec))} of "
        f"{size(report.size)} ({_percent(report.size, report.sent(codec))})"
        for codec in report.codecs
    ]
    return "; ".join(said) + ". A file without a compressed form counts as it is."


def _problems(report: Report) -> str:
    if not report.problems:
        return "None: every reference in files and templates that can be read leads to a file."
    counts = {level: sum(p.level is level for p in report.problems) for level in Level}
    said = [
        count(counts[Level.ERROR], "error"),
        count(counts[Level.WARNING], "warning"),
        count(counts[Level.REMARK], "remark"),
    ]
    return f"{', '.join(said)}. Remarks are source maps that only developer tools will miss."


def _changes(report: Report) -> str:
    release = report.release
    if release is None:
        return escape(f"Not known. {report.no_release}")
    commit = f", commit <code>{escape(release.commit[:12])}</code>" if release.commit else ""
    time = release.time.replace("T", " ").replace("+00:00", " UTC")
    of = f"<code>{escape(release.id)}</code> of {escape(time)}{commit}"
    if not release.changes:
        return f"None: release {of} has these files."
    kinds = Counter(change.kind for change in release.changes)
    said = ", ".join(f"{kinds[kind]:,} {kind}" for kind in ("added", "changed", "removed"))
    return f"Since release {of}: {said}."


def _refused(report: Report) -> str:
    if not report.refusals:
        return ""
    lines = "".join(f"<li>{escape(str(refusal))}</li>" for refusal in report.refusals)
    files = count(len(report.refusals), "file")
    return f'<section><h2>Not published</h2><p>{files}:</p><ul class="plain">{lines}</ul></section>'


def _less(whole: int, sent: int) -> str:
    return f"{_percent(whole, sent)} less"


def _percent(whole: int, sent: int) -> str:
    return f"{100 * (whole - sent) / whole:.0f}%" if whole else "0%"


# -- what the scripts read


def _data(report: Report) -> str:
    """Returns the data as JSON in which nothing can end the script element that holds it."""
    caches = _Numbers()
    names = _Numbers()
    release = report.release
    changed = {} if release is None else {c.name: c.kind for c in release.changes}
    value: dict[str, Any] = {
        "codecs": report.codecs,
        "kinds": KINDS,
        "files": [_row(file, report, caches, names, changed) for file in report.files],
        "problems": [[int(p.level), p.file, p.line, p.text] for p in report.problems],
        "changes": None
        if release is None
        else [[c.kind, c.name, c.before, c.after] for c in release.changes],
    }
    value["caches"] = [[cache, policy(cache)] for cache in caches.all()]
    value["names"] = list(names.all())
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _row(
    file: File, report: Report, caches: _Numbers, names: _Numbers, changed: dict[str, str]
) -> list[Any]:
    return [
        file.path,
        file.published,
        KINDS.index(file.kind),
        file.size,
        [file.encoded.get(codec, -1) for codec in report.codecs],
        caches.of(file.cache),
        [[names.of(place.file), place.line] for place in file.referrers],
        int(file.by_name),
        [names.of(twin) for twin in file.twins],
        changed.get(file.path, ""),
    ]


class _Numbers:
    """Texts by number, since many are said more than once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> Iterable[str]:
        return self._numbers
