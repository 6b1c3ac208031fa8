"""What a person reads: progress, plans, results. JSON goes to stdout alone, remarks to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..amounts import count, size
from ..assets import METADATA_PREFIX, grouped
from ..findings import Finding, worst
from ..store.traced import is_traced
from .terminal import (
    busy,
    can_redraw,
    columns,
    live,
    say,
    say_row,
    wrapped_for_stdout,
)

if TYPE_CHECKING:
    from ..assets import Problem, Refuse
    from ..building.objects import Build
    from ..release.history import Change
    from ..release.plan import Plan, Put
    from ..release.prepare import Prepared
    from ..release.prune import Pruned, Pruning
    from ..release.publish import Progress
    from ..release.records import Record
    from ..release.result import Result
    from ..release.rollback import Rollback


@contextmanager
def progress(plan: Plan, bucket: str, *, quiet: bool) -> Iterator[Progress]:
    """Yields what is told how a run goes on: a bar on a terminal, some lines elsewhere."""
    from ..release.publish import Silent  # noqa: PLC0415  (a help text needs none of it)

    total = len(plan.puts)
    if quiet or not total:
        with busy("Publishing", quiet=quiet):
            yield Silent()
        return
    shown = count(sum(not _is_ours(put.key) for put in plan.puts), "object")
    copies = sum(not _is_ours(key) for key in plan.copies)
    click.echo(f"Publishing {shown} ({_sent(plan.bytes, copies)}) to {bucket}", err=True)
    if can_redraw(sys.stderr) and not is_traced():
        with _bar(total, plan.bytes) as bar:
            yield bar
    else:
        lines = _Lines(total)
        with busy("Publishing", said=lines.said):
            yield lines


_STOPPING = "Stopping: {:,} objects are on their way; Ctrl-C again gives them up."


class _Lines:
    """A line each tenth of the way, for logs."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._step = total // 10 if total >= 100 else total + 1

    def sent(self, _count: int) -> None:
        """Says nothing: a log wants lines, not movement."""

    def done(self) -> None:
        """Says so each tenth of the way."""
        self._done += 1
        if self._done % self._step == 0:
            click.echo(self.said(), err=True)

    def stopping(self, left: int) -> None:
        """Says what is waited for."""
        click.echo(f"  {_STOPPING.format(left)}", err=True)

    def said(self) -> str:
        """Returns how far it is."""
        return f"  {self._done:,} of {self._total:,}"


class _Bar:
    """Files, bytes and rate; the bar follows the bytes."""

    def __init__(self, bar: Any, task: Any) -> None:  # noqa: ANN401
        self._bar = bar
        self._task = task
        self._done = 0

    def sent(self, count: int) -> None:
        """Moves the bar; called from the CRT's threads too, which rich allows."""
        self._bar.advance(self._task, count)

    def done(self) -> None:
        """Counts a file."""
        self._done += 1
        self._bar.update(self._task, done=self._done)

    def stopping(self, left: int) -> None:
        """Says what is waited for, above the bar."""
        self._bar.console.print(_STOPPING.format(left))


@contextmanager
def _bar(files: int, total: int) -> Iterator[_Bar]:
    """Yields a bar, which fits 80 columns with what stands beside it."""
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    shown = (
        BarColumn(bar_width=None),
        TextColumn(f"{{task.fields[done]:,}}/{files:,} objects"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),  # moves on when all is sent, and the CDN is waited for
    )
    with live(*shown) as bar:
        yield _Bar(bar, bar.add_task("", total=total, done=0))


def show_dry_run(prepared: Prepared, *, as_json: bool) -> None:
    """Shows a plan, as text or as the JSON object that the deploy would print."""
    if not as_json:
        show_plan(prepared)
        return
    planned = prepared.plan
    _print_json(
        uploaded=[put.key for put in planned.puts if not _is_ours(put.key)],
        kept=[keep.key for keep in planned.keeps if not _is_ours(keep.key)],
        failed=[refusal.key for refusal in planned.refusals],
        bytes=planned.bytes,
        seconds=0.0,
    )


def show_plan(prepared: Prepared) -> None:
    """Shows each action with its reason, and how many there are."""
    planned = prepared.plan
    for key, why in grouped(planned.refusals):
        say_row("refuse  ", _here(key), why)
    show_warnings(prepared.warnings)
    if prepared.remote.bucket_missing:
        click.echo(f"create  bucket {prepared.remote.store.bucket}")
    copies = {key for key in planned.copies if not _is_ours(key)}
    for put in planned.puts:
        if not _is_ours(put.key):
            say_row("copy    " if put.key in copies else "upload  ", put.key, put.reason)
    uploads = sum(not _is_ours(put.key) for put in planned.puts)
    kept = sum(not _is_ours(keep.key) for keep in planned.keeps)
    copied = f", {len(copies):,} of them copied in the bucket" if copies else ""
    say(
        f"{uploads:,} to upload ({size(planned.bytes)}){copied}, "
        f"{kept:,} right already, {len(planned.refusals):,} refused."
    )


def _is_ours(key: str) -> bool:
    """Returns whether an object is one of our own, which nobody asks for."""
    return key.startswith(METADATA_PREFIX)


def show_result(result: Result, *, as_json: bool) -> None:
    """Shows what was done: failures and warnings on stderr, the summary on stdout."""
    _show_failures(result.failures)
    show_warnings(result.warnings)
    _show_purge_errors(result)
    if as_json:
        _print_json(
            uploaded=result.uploaded,
            kept=result.kept,
            deleted=result.deleted,
            failed=result.failed,
            bytes=result.bytes,
            seconds=round(result.seconds, 3),
            purged=result.purged,
            unpurged=result.unpurged,
        )
        return
    say(
        f"{len(result.uploaded):,} uploaded ({_sent(result.bytes, result.copied)}), "
        f"{len(result.kept):,} kept, {len(result.failed):,} failed, in {result.seconds:.1f} s."
    )
    if result.release is not None and (result.uploaded or result.failed):
        click.echo(f"Release {result.release} is in force.")
    show_purged(result.purged)
    if result.interrupted:
        say("Interrupted: the next deploy goes on where this one stopped.", err=True)


def _sent(sent: int, copies: int) -> str:
    """Returns how much was sent, and how many objects the store copied: `3 B, 2 copied in …`."""
    if not copies:
        return size(sent)
    copied = f"{copies:,} copied in the bucket"
    return f"{size(sent)}, {copied}" if sent else copied


def _show_failures(failures: tuple[Refuse, ...]) -> None:
    """Shows each failure; of many with one reason, the first ones and how many there are."""
    for key, why in grouped(failures, _FAILURES_ALIKE):
        say(f"failed  {_here(key)}: {why}", fg="red", err=True, hang=8)


_MOST_ALIKE = 10
_FAILURES_ALIKE = 3


def _print_json(**values: Any) -> None:  # noqa: ANN401
    order = (
        "uploaded",
        "kept",
        "deleted",
        "failed",
        "bytes",
        "seconds",
        "purged",
        "unpurged",
    )
    click.echo(json.dumps({name: values.get(name, []) for name in order}))


def show_findings(problems: tuple[Problem, ...], refused: int, warned: int) -> None:
    """Shows what is wrong in files and templates, a line each, and how much it is.

    Args:
        problems: what is wrong.
        refused: how many files are not published at all.
        warned: how many warnings have been shown before.
    """
    for problem in problems:
        word = problem.level.name.lower()
        labelled = replace(problem, file=_here(problem.file), text=f"{word}: {problem.text}")
        say(str(labelled), fg=_COLOURS[problem.level.name], hang=4)
    levels = Counter(problem.level.name.lower() for problem in problems)
    levels["warning"] += warned
    said = ", ".join(count(levels[word], word) for word in ("error", "warning", "remark"))
    ruled_out = f"{count(refused, 'file')} refused, " if refused else ""
    say(f"Checked: {ruled_out}{said}.", hang=9)


_COLOURS = {"ERROR": "red", "WARNING": "yellow", "REMARK": None}


def show_refusals(refusals: tuple[Refuse, ...]) -> None:
    """Shows which files have been ruled out, and why."""
    for key, why in grouped(refusals, _MOST_ALIKE):
        say(f"refuse  {_here(key)}: {why}", fg="red", err=True, hang=8)


def show_build(built: Build, manifest: Path | None, tree: Path | None) -> None:
    """Shows what was built, and where it was written."""
    entries = built.manifest.entries
    variants = Counter(codec for entry in entries.values() for codec in entry.variants)
    encoded = "".join(f", {number:,} as {codec}" for codec, number in variants.items())
    total = sum(made.body.size for made in built.objects)
    say(
        f"Built {count(len(entries), 'file')}{encoded}: {count(len(built.objects), 'object')}, "
        f"{size(total)}."
    )
    if manifest is not None:
        click.echo(f"Manifest  {_here(manifest)}")
    if tree is not None:
        click.echo(f"Tree      {_here(tree)}")


def _here(path: Path | str) -> str:
    """Returns a path as people write it who work in this folder; a key stays as it is."""
    if not Path(path).is_absolute():
        return str(path)
    try:
        near = os.path.relpath(path)
    except ValueError:  # another drive, on Windows
        return str(path)
    return str(path) if near.startswith("..") else near


def show_status(prepared: Prepared, drift: Sequence[str], lost: int, *, as_json: bool) -> None:
    """Shows the release in force, whether it is still there, and how the app's files differ.

    Args:
        prepared: what a deploy would do.
        drift: the keys that are not as the release left them.
        lost: how many releases there are, none of which is known to be in force.
        as_json: as one JSON object instead of text.
    """
    show_warnings(prepared.warnings)
    behind, drift = _behind(prepared, drift)
    if as_json:
        click.echo(json.dumps(_status(prepared, drift, behind, lost)))
        return
    _show_release(prepared, lost)
    if behind:
        plain = count(len(behind), "plain name")
        say(f"Behind    {plain}: a deploy died, or is at work still", hang=10)
    for key in drift[:_MOST_ALIKE]:
        say_row("Drift     ", key, "changed or deleted since", fg="yellow")
    if drift:
        more = len(drift) - _MOST_ALIKE
        and_more = f"and {more:,} more; " if more > 0 else ""
        say(f"          {and_more}flask s3 deploy --verify-remote repairs it", hang=10)
    _show_changes(prepared)


def _behind(prepared: Prepared, drift: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Returns which keys do not follow the release in force yet, and which were changed since."""
    record, current = prepared.remote.record, prepared.remote.current
    if record is None or current is None or not current.unfinished:
        return [], drift
    behind = [key for key in drift if key in record.copies]
    return behind, [key for key in drift if key not in record.copies]


def _changed(prepared: Prepared) -> list[Put]:
    return [put for put in prepared.plan.puts if not _is_ours(put.key)]


def _gone(prepared: Prepared) -> list[str]:
    """Returns the keys that are published, and of which the app has no file now."""
    record = prepared.remote.record
    held = record.objects.keys() if record else ()
    return sorted({key for key in held if not _is_ours(key)} - {o.key for o in prepared.objects})


def _status(
    prepared: Prepared, drift: Sequence[str], behind: Sequence[str], lost: int
) -> dict[str, object]:
    remote = prepared.remote
    return {
        "bucket": remote.store.bucket,
        "region": remote.store.region,
        "exists": not remote.bucket_missing,
        "release": None if remote.record is None else _release(remote.record, current=True),
        "lost": lost,
        "behind": list(behind),
        "drift": list(drift),
        "changed": [put.key for put in _changed(prepared)],
        "gone": _gone(prepared),
        "refused": [refusal.key for refusal in prepared.plan.refusals],
    }


def _show_release(prepared: Prepared, lost: int) -> None:
    record, store = prepared.remote.record, prepared.remote.store
    missing = ", which does not exist yet" if prepared.remote.bucket_missing else ""
    say(f"Bucket    {store.bucket} ({store.region}){missing}", hang=10)
    if record is None:
        none = f"unknown, of {lost:,}: the pointer or its record is lost" if lost else "none yet"
        say(f"Release   {none}: flask s3 deploy makes {'one' if lost else 'the first'}", hang=10)
    else:
        made_of = f", commit {record.commit[:12]}" if record.commit else ""
        say(f"Release   {record.id}, of {record.time}{made_of}", hang=10)
        click.echo(f"Objects   {len(record.objects):,} ({size(record.bytes)})")


def _show_changes(prepared: Prepared) -> None:
    reasons = Counter(put.reason.partition(":")[0] for put in _changed(prepared))
    for reason, number in sorted(reasons.items()):
        say(f"Changed   {count(number, 'object')}: {reason}", hang=10)
    if gone := _gone(prepared):
        objects = count(len(gone), "object")
        say(f"Gone      {objects}: published, and no file of the app now", hang=10)
    if prepared.plan.refusals:
        say(f"Refused   {len(prepared.plan.refusals):,}: flask s3 plan says why", hang=10)
    elif not reasons and not gone:
        say("Changed   nothing: what is published is what is here", hang=10)


def show_releases(releases: Sequence[Record], *, as_json: bool) -> None:
    """Shows releases, the one in force first, as a table or as a JSON list."""
    if as_json:
        click.echo(json.dumps([_release(r, current=not n) for n, r in enumerate(releases)]))
        return
    if not releases:
        click.echo("No release yet: flask s3 deploy makes the first.")
        return
    shown = _shown_columns(columns())
    click.echo(f"  {''.join(head for head, _ in shown)}")
    for number, record in enumerate(releases):
        row = "".join(cell(record) for _, cell in shown)
        click.echo(f"{' ' if number else '*'} {row}")
        if record.restores:
            click.echo(f"    brings back {record.restores}")
    click.echo("* in force")


_Column = tuple[str, Callable[["Record"], str]]
_COLUMNS: tuple[_Column, ...] = (
    (f"{'RELEASE':<26}", lambda record: f"{record.id:<26}"),
    (f"{'AGE':>9}", lambda record: f"{_age(record.time):>9}"),
    (f"  {'COMMIT':<12}", lambda record: f"  {(record.commit or '')[:12]:<12}"),
    (f"{'FILES':>9}", lambda record: f"{record.assets:>9,}"),
    (f"{'SIZE':>10}", lambda record: f"{size(record.bytes):>10}"),
)
_FIRST_TO_GO = (2, 4, 3)


def _shown_columns(room: int | None) -> list[_Column]:
    """Returns the columns that fit; a terminal that is too narrow does without some."""
    shown = dict(enumerate(_COLUMNS))
    for number in _FIRST_TO_GO:
        if room is not None and 2 + sum(len(head) for head, _ in shown.values()) > room:
            del shown[number]
    return list(shown.values())


def _release(record: Record, *, current: bool) -> dict[str, object]:
    return {
        "id": record.id,
        "time": record.time,
        "commit": record.commit,
        "restores": record.restores,
        "assets": record.assets,
        "objects": len(record.objects),
        "bytes": record.bytes,
        "current": current,
    }


def _age(time: str) -> str:
    """Returns how long ago something was, in its largest unit."""
    try:
        past = datetime.now(timezone.utc) - datetime.fromisoformat(time)
    except (TypeError, ValueError):
        return "?"
    seconds = int(max(past.total_seconds(), 0))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def show_differences(changes: Sequence[Change]) -> None:
    """Shows which files differ between two releases, and how many there are."""
    marks = {"added": "+", "removed": "-", "changed": "~"}
    for change in changes:
        sizes = [size(count) for count in (change.before, change.after) if count is not None]
        say_row(f"{marks[change.kind]} ", change.name, " -> ".join(sizes))
    kinds = Counter(change.kind for change in changes)
    click.echo(", ".join(f"{kinds[kind]:,} {kind}" for kind in marks) + ".")


def show_rollback(rollback: Rollback, result: Result) -> None:
    """Shows what a rollback changed, and what it could not."""
    show_warnings(result.warnings)
    _show_failures(result.failures)
    _show_purge_errors(result)
    target, before = rollback.target, rollback.current.release
    if result.release == before:
        say(
            f"Release {target.id} was not brought back: {before} is in force still. Mend what is "
            "said above, then roll back again.",
            fg="red",
            err=True,
        )
        return
    if result.failed:
        say(
            f"Release {target.id} is in force again, as {result.release}, but "
            f"{count(len(result.failed), 'plain name')} could not be written: `flask s3 rollback` "
            "once more goes on with them.",
            fg="red",
            err=True,
        )
        return
    say(
        f"Release {target.id} is in force again, as {result.release}: "
        f"{count(len(result.uploaded), 'plain name')} changed, in {result.seconds:.1f} s."
    )
    say(
        'Apps with FLASKS3_MANIFEST = "bucket" serve it after their restart. An app that ships its '
        "manifest goes on as it is: roll it back by deploying the old app."
    )
    show_purged(result.purged)


def show_purged(paths: Sequence[str]) -> None:
    """Shows what the CDN was made to drop; of many paths, the first ones."""
    if not paths:
        return
    more = f" and {len(paths) - _MOST_ALIKE:,} more" if len(paths) > _MOST_ALIKE else ""
    shown = ", ".join(paths[:_MOST_ALIKE])
    say(f"Purged from the CDN, {count(len(paths), 'path')}: {shown}{more}.", hang=2)


def _show_purge_errors(result: Result) -> None:
    for text in result.purge_errors:
        say(f"Error: {text}", fg="red", err=True, hang=7)


def show_pruning(pruning: Pruning) -> None:
    """Shows what a prune would do, with a reason for each release."""
    show_gone(pruning)
    for key in pruning.retired.keys:
        say_row("delete  ", key, "no kept release needs it")
    total = sum(pruning.sizes.values())
    say(
        f"{count(len(pruning.retired.keys), 'object')} ({size(total)}) of "
        f"{count(len(pruning.retired.releases), 'release')} to delete, "
        f"{count(len(pruning.retired.kept), 'release')} to keep."
    )


def show_gone(pruning: Pruning) -> None:
    """Shows which releases go, and why."""
    for gone in pruning.retired.releases:
        say_row("remove  ", f"release {gone.record.id}", gone.reason)


def show_pruned(pruned: Pruned, *, quiet: bool = False) -> None:
    """Shows what was deleted, and what could not be; `quiet` leaves the first out."""
    _show_failures(pruned.failures)
    if quiet:
        return
    spared = f", {pruned.spared:,} left to other apps" if pruned.spared else ""
    say(
        f"{count(len(pruned.deleted), 'object')} ({size(pruned.bytes)}) and "
        f"{count(len(pruned.releases), 'release')} deleted{spared}."
    )


def show_left(counts: Mapping[str, int]) -> None:
    """Shows how many objects still stand under the prefixes where the app's were."""
    places = ", ".join(f"{number:,} under {prefix}" for prefix, number in counts.items() if number)
    if places:
        say(
            f"Objects that no release of this app names stay ({places}): other apps', or what "
            "interrupted deploys uploaded."
        )


def show_destruction(app: str, bucket: str, prefix: str, pruning: Pruning) -> None:
    """Shows what a destroy would take away."""
    where = f"bucket {bucket}" + (f" under {prefix}/" if prefix else "")
    total = sum(pruning.sizes.values())
    say(
        f"App {app} in {where}: {count(len(pruning.retired.releases), 'release')}, "
        f"{count(len(pruning.retired.keys), 'object')} ({size(total)}), the release in force too.",
        err=True,
    )


def show_checks(findings: Sequence[Finding]) -> None:
    """Shows what checks came to: a line each, and for what is not right why, and what mends it."""
    for finding in findings:
        word = finding.verdict.word
        line = wrapped_for_stdout(f"{word:<8}{finding.check}: {finding.what}", 8)
        click.echo(f"{click.style(word, fg=_VERDICTS[word])}{line.removeprefix(word)}")
        if finding.why:
            say(f"        {finding.why}", hang=8)
        if finding.fix.endswith("."):
            say(f"        -> {finding.fix}", hang=11)
        elif finding.fix:  # a command, which is to be pasted as a whole
            click.echo(f"        -> {finding.fix}")
    words = Counter(finding.verdict.word for finding in findings)
    said = ", ".join(count(words[word], word) for word in ("error", "warning"))
    click.echo(f"{said}, {words['ok']:,} ok.")


def show_skipped(by_reason: Mapping[str, Sequence[str]]) -> None:
    """Shows which checks were not run, by the reason."""
    for why, checks in by_reason.items():
        say(f"Not looked at: {', '.join(checks)}; {why}.", hang=15)


_VERDICTS = {"ok": "green", "warning": "yellow", "error": "red"}


def show_checks_as_json(findings: Sequence[Finding], **more: object) -> None:
    """Prints what checks came to as one JSON object, with the worst verdict first."""
    told = [{**asdict(finding), "verdict": finding.verdict.word} for finding in findings]
    click.echo(json.dumps({"verdict": worst(findings).word, **more, "findings": told}))


def show_warnings(texts: tuple[str, ...]) -> None:
    """Shows sentences on stderr."""
    for text in texts:
        say(f"Warning: {text}", fg="yellow", err=True, hang=9)
