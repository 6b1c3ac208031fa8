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

from ..assets import METADATA_PREFIX
from ..findings import Finding, worst

if TYPE_CHECKING:
    from ..assets import Problem, Refuse
    from ..building.objects import Build
    from ..release.history import Change
    from ..release.plan import Plan
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
        yield Silent()
        return
    shown = count(sum(not _is_ours(put.key) for put in plan.puts), "object")
    click.echo(f"Publishing {shown} ({size(plan.bytes)}) to {bucket}", err=True)
    if sys.stderr.isatty():
        with _bar(total, plan.bytes) as bar:
            yield bar
    else:
        yield _Lines(total)


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
            click.echo(f"  {self._done:,} of {self._total:,}", err=True)


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


@contextmanager
def _bar(files: int, total: int) -> Iterator[_Bar]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TransferSpeedColumn,
    )

    columns: list[Any] = [
        BarColumn(),
        TextColumn(f"{{task.fields[done]:,}}/{files:,} objects"),
        DownloadColumn(),
        TransferSpeedColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
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
    for refusal in planned.refusals:
        click.echo(f"refuse  {refusal.key}  ({refusal.reason})")
    show_warnings(prepared.warnings)
    if prepared.remote.bucket_missing:
        click.echo(f"create  bucket {prepared.remote.store.bucket}")
    copies = 0
    for put in planned.puts:
        is_copy = put.object.copy_of is not None and not _is_ours(put.object.copy_of)
        copies += is_copy
        if not _is_ours(put.key):
            click.echo(f"{'copy    ' if is_copy else 'upload  '}{put.key}  ({put.reason})")
    uploads = sum(not _is_ours(put.key) for put in planned.puts) - copies
    kept = sum(not _is_ours(keep.key) for keep in planned.keeps)
    to_copy = f"{copies:,} to copy, " if copies else ""
    click.echo(
        f"{uploads:,} to upload ({size(planned.bytes)}), {to_copy}"
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
    click.echo(
        f"{len(result.uploaded):,} uploaded ({size(result.bytes)}), {len(result.kept):,} kept, "
        f"{len(result.failed):,} failed, in {result.seconds:.1f} s."
    )
    if result.release is not None and (result.uploaded or result.failed):
        click.echo(f"Release {result.release} is in force.")
    show_purged(result.purged)
    if result.interrupted:
        click.echo("Interrupted: the next deploy goes on where this one stopped.", err=True)


def _show_failures(failures: tuple[Refuse, ...]) -> None:
    """Shows each failure; of many with one reason, the first ones and how many there are."""
    shown: Counter[str] = Counter()
    for failure in failures:
        shown[failure.reason] += 1
        if shown[failure.reason] <= _FAILURES_ALIKE:
            click.secho(f"failed  {failure.key}: {failure.reason}", fg="red", err=True)
    for reason, number in shown.items():
        if number > _FAILURES_ALIKE:
            more = f"failed  and {number - _FAILURES_ALIKE:,} more: {reason}"
            click.secho(more, fg="red", err=True)


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


def show_findings(problems: tuple[Problem, ...], refused: int) -> None:
    """Shows what is wrong in files and templates, a line each, and how much it is.

    Args:
        problems: what is wrong.
        refused: how many files are not published at all.
    """
    for problem in problems:
        word = problem.level.name.lower()
        labelled = replace(problem, file=_here(problem.file), text=f"{word}: {problem.text}")
        click.secho(str(labelled), fg=_COLOURS[problem.level.name])
    levels = Counter(problem.level.name.lower() for problem in problems)
    said = ", ".join(count(levels[word], word) for word in ("error", "warning", "remark"))
    ruled_out = f"{count(refused, 'file')} refused, " if refused else ""
    click.echo(f"Checked: {ruled_out}{said}.")


_COLOURS = {"ERROR": "red", "WARNING": "yellow", "REMARK": None}


def show_refusals(refusals: tuple[Refuse, ...]) -> None:
    """Shows which files have been ruled out, and why."""
    for refusal in refusals:
        click.secho(f"refuse  {refusal}", fg="red", err=True)


def show_build(built: Build, manifest: Path | None, tree: Path | None) -> None:
    """Shows what was built, and where it was written."""
    entries = built.manifest.entries
    variants = Counter(codec for entry in entries.values() for codec in entry.variants)
    encoded = "".join(f", {number:,} as {codec}" for codec, number in variants.items())
    total = sum(made.body.size for made in built.objects)
    click.echo(
        f"Built {count(len(entries), 'file')}{encoded}: {count(len(built.objects), 'object')}, "
        f"{size(total)}."
    )
    if manifest is not None:
        click.echo(f"Manifest  {_here(manifest)}")
    if tree is not None:
        click.echo(f"Tree      {_here(tree)}")


def _here(path: Path | str) -> str:
    try:
        near = os.path.relpath(path)
    except ValueError:  # another drive, on Windows
        return str(path)
    return str(path) if near.startswith("..") else near


def count(number: int, noun: str) -> str:
    """Returns a number and its noun: `1 file`, `2,000 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def show_status(prepared: Prepared, drift: Sequence[str], lost: int) -> None:
    """Shows the release in force, whether it is still there, and how the app's files differ.

    Args:
        prepared: what a deploy would do.
        drift: the keys that are not as the release left them.
        lost: how many releases there are, none of which is known to be in force.
    """
    show_warnings(prepared.warnings)
    record, current = prepared.remote.record, prepared.remote.current
    missing = ", which does not exist yet" if prepared.remote.bucket_missing else ""
    store = prepared.remote.store
    click.echo(f"Bucket    {store.bucket} ({store.region}){missing}")
    if record is None:
        none = f"unknown, of {lost:,}: the pointer or its record is lost" if lost else "none yet"
        click.echo(f"Release   {none}: flask s3 deploy makes {'one' if lost else 'the first'}")
    else:
        made_of = f", commit {record.commit[:12]}" if record.commit else ""
        click.echo(f"Release   {record.id}, of {record.time}{made_of}")
        click.echo(f"Objects   {len(record.objects):,} ({size(record.bytes)})")
    if record is not None and current is not None and current.unfinished:
        behind = sum(key in record.copies for key in drift)
        drift = [key for key in drift if key not in record.copies]
        if behind:
            click.echo(
                f"Behind    {count(behind, 'plain name')}: a deploy died, or is at work still"
            )
    for key in drift[:_MOST_ALIKE]:
        click.secho(f"Drift     {key}: changed or deleted since", fg="yellow")
    if drift:
        more = len(drift) - _MOST_ALIKE
        and_more = f"and {more:,} more; " if more > 0 else ""
        click.echo(f"          {and_more}flask s3 deploy --verify-remote repairs it")
    puts = [put for put in prepared.plan.puts if not _is_ours(put.key)]
    reasons = Counter(put.reason.partition(":")[0] for put in puts)
    for reason, number in sorted(reasons.items()):
        click.echo(f"Changed   {count(number, 'object')}: {reason}")
    held = record.objects.keys() if record else ()
    gone = {key for key in held if not _is_ours(key)} - {o.key for o in prepared.objects}
    if gone:
        click.echo(f"Gone      {count(len(gone), 'object')}: published, and no file of the app now")
    if prepared.plan.refusals:
        click.echo(f"Refused   {len(prepared.plan.refusals):,}: flask s3 plan says why")
    elif not reasons and not gone:
        click.echo("Changed   nothing: what is published is what is here")


def show_releases(releases: Sequence[Record], *, as_json: bool) -> None:
    """Shows releases, the one in force first, as a table or as a JSON list."""
    if as_json:
        click.echo(json.dumps([_release(r, current=not n) for n, r in enumerate(releases)]))
        return
    if not releases:
        click.echo("No release yet: flask s3 deploy makes the first.")
        return
    click.echo(f"  {'RELEASE':<26}{'AGE':>9}  {'COMMIT':<12}{'FILES':>9}{'SIZE':>10}")
    for number, record in enumerate(releases):
        click.echo(
            f"{' ' if number else '*'} {record.id:<26}{_age(record.time):>9}  "
            f"{(record.commit or '')[:12]:<12}{record.assets:>9,}{size(record.bytes):>10}"
        )
        if record.restores:
            click.echo(f"    brings back {record.restores}")
    click.echo("* in force")


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
        click.echo(f"{marks[change.kind]} {change.name}  ({' -> '.join(sizes)})")
    kinds = Counter(change.kind for change in changes)
    click.echo(", ".join(f"{kinds[kind]:,} {kind}" for kind in marks) + ".")


def show_rollback(rollback: Rollback, result: Result) -> None:
    """Shows what a rollback changed, and what it could not."""
    show_warnings(result.warnings)
    _show_failures(result.failures)
    _show_purge_errors(result)
    target, before = rollback.target, rollback.current.release
    if result.release == before:
        click.secho(
            f"Release {target.id} was not brought back: {before} is in force still. Mend what is "
            "said above, then roll back again.",
            fg="red",
            err=True,
        )
        return
    if result.failed:
        click.secho(
            f"Release {target.id} is in force again, as {result.release}, but "
            f"{count(len(result.failed), 'plain name')} could not be written: `flask s3 rollback` "
            "once more goes on with them.",
            fg="red",
            err=True,
        )
        return
    click.echo(
        f"Release {target.id} is in force again, as {result.release}: "
        f"{count(len(result.uploaded), 'plain name')} changed, in {result.seconds:.1f} s."
    )
    click.echo(
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
    click.echo(f"Purged from the CDN, {count(len(paths), 'path')}: {shown}{more}.")


def _show_purge_errors(result: Result) -> None:
    for text in result.purge_errors:
        click.secho(f"Error: {text}", fg="red", err=True)


def show_pruning(pruning: Pruning) -> None:
    """Shows what a prune would do, with a reason for each release."""
    show_gone(pruning)
    for key in pruning.retired.keys:
        click.echo(f"delete  {key}  (no kept release needs it)")
    total = sum(pruning.sizes.values())
    click.echo(
        f"{count(len(pruning.retired.keys), 'object')} ({size(total)}) of "
        f"{count(len(pruning.retired.releases), 'release')} to delete, "
        f"{count(len(pruning.retired.kept), 'release')} to keep."
    )


def show_gone(pruning: Pruning) -> None:
    """Shows which releases go, and why."""
    for gone in pruning.retired.releases:
        click.echo(f"remove  release {gone.record.id}  ({gone.reason})")


def show_pruned(pruned: Pruned, *, quiet: bool = False) -> None:
    """Shows what was deleted, and what could not be; `quiet` leaves the first out."""
    _show_failures(pruned.failures)
    if quiet:
        return
    spared = f", {pruned.spared:,} left to other apps" if pruned.spared else ""
    click.echo(
        f"{count(len(pruned.deleted), 'object')} ({size(pruned.bytes)}) and "
        f"{count(len(pruned.releases), 'release')} deleted{spared}."
    )


def show_destruction(app: str, bucket: str, prefix: str, pruning: Pruning) -> None:
    """Shows what a destroy would take away."""
    where = f"bucket {bucket}" + (f" under {prefix}/" if prefix else "")
    total = sum(pruning.sizes.values())
    click.echo(
        f"App {app} in {where}: {count(len(pruning.retired.releases), 'release')}, "
        f"{count(len(pruning.retired.keys), 'object')} ({size(total)}), the release in force too.",
        err=True,
    )


def show_checks(findings: Sequence[Finding]) -> None:
    """Shows what checks came to: a line each, and for what is not right why, and what mends it."""
    for finding in findings:
        word = click.style(f"{finding.verdict.word:<8}", fg=_VERDICTS[finding.verdict.word])
        click.echo(f"{word}{finding.check}: {finding.what}")
        for text in (finding.why, f"-> {finding.fix}" if finding.fix else ""):
            if text:
                click.echo(f"        {text}")
    words = Counter(finding.verdict.word for finding in findings)
    said = ", ".join(count(words[word], word) for word in ("error", "warning"))
    click.echo(f"{said}, {words['ok']:,} ok.")


def show_skipped(by_reason: Mapping[str, Sequence[str]]) -> None:
    """Shows which checks were not run, by the reason."""
    for why, checks in by_reason.items():
        click.echo(f"Not looked at: {', '.join(checks)}; {why}.")


_VERDICTS = {"ok": "green", "warning": "yellow", "error": "red"}


def show_checks_as_json(findings: Sequence[Finding], **more: object) -> None:
    """Prints what checks came to as one JSON object, with the worst verdict first."""
    told = [{**asdict(finding), "verdict": finding.verdict.word} for finding in findings]
    click.echo(json.dumps({"verdict": worst(findings).word, **more, "findings": told}))


@contextmanager
def counting(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yields what is told how many of how many are done: a bar on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415  (a help text needs none of it)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_warnings(texts: tuple[str, ...]) -> None:
    """Shows sentences on stderr."""
    for text in texts:
        click.secho(f"Warning: {text}", fg="yellow", err=True)


def size(count: int) -> str:
    """Returns bytes in decimal units, as S3's own console shows them."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
