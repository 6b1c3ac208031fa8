"""What a person reads: progress, plans, results. JSON goes to stdout alone, remarks to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .assets import Problem, Refuse
    from .build import Build
    from .deploy import Prepared
    from .plan import Plan
    from .publish import Progress
    from .result import Result


@contextmanager
def progress(plan: Plan, bucket: str, *, quiet: bool) -> Iterator[Progress]:
    """Yields what is told how a run goes on: a bar on a terminal, some lines elsewhere."""
    from .publish import Silent  # noqa: PLC0415  (a help text needs none of it)

    total = len(plan.puts)
    if quiet or not total:
        yield Silent()
        return
    click.echo(f"Publishing {count(total, 'file')} ({size(plan.bytes)}) to {bucket}", err=True)
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
        TextColumn(f"{{task.fields[done]:,}}/{files:,} files"),
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
        uploaded=[put.key for put in planned.puts],
        kept=[keep.key for keep in planned.keeps],
        failed=[refusal.key for refusal in planned.refusals],
        bytes=planned.bytes,
        seconds=0.0,
    )


def show_plan(prepared: Prepared) -> None:
    """Shows each action with its reason, and how many there are."""
    planned = prepared.plan
    show_warnings(prepared.warnings)
    if prepared.remote.bucket_missing:
        click.echo(f"create  bucket {prepared.remote.store.bucket}")
    for put in planned.puts:
        verb = "upload  " if put.object.copy_of is None else "copy    "
        click.echo(f"{verb}{put.key}  ({put.reason})")
    copies = sum(put.object.copy_of is not None for put in planned.puts)
    to_copy = f"{copies:,} to copy, " if copies else ""
    for refusal in planned.refusals:
        click.echo(f"refuse  {refusal.key}  ({refusal.reason})")
    click.echo(
        f"{len(planned.puts) - copies:,} to upload ({size(planned.bytes)}), {to_copy}"
        f"{len(planned.keeps):,} right already, {len(planned.refusals):,} refused."
    )


def show_result(result: Result, *, as_json: bool) -> None:
    """Shows what was done: warnings and failures on stderr, the summary on stdout."""
    show_warnings(result.warnings)
    _show_failures(result.failures)
    if as_json:
        _print_json(
            uploaded=result.uploaded,
            kept=result.kept,
            failed=result.failed,
            bytes=result.bytes,
            seconds=round(result.seconds, 3),
        )
        return
    click.echo(
        f"{len(result.uploaded):,} uploaded ({size(result.bytes)}), {len(result.kept):,} kept, "
        f"{len(result.failed):,} failed, in {result.seconds:.1f} s."
    )


def _show_failures(failures: tuple[Refuse, ...]) -> None:
    """Shows each failure; of many with one reason, the first ones and how many there are."""
    shown: Counter[str] = Counter()
    for failure in failures:
        shown[failure.reason] += 1
        if shown[failure.reason] <= _MOST_ALIKE:
            click.secho(f"failed  {failure.key}: {failure.reason}", fg="red", err=True)
    for reason, number in shown.items():
        if number > _MOST_ALIKE:
            more = f"failed  and {number - _MOST_ALIKE:,} more: {reason}"
            click.secho(more, fg="red", err=True)


_MOST_ALIKE = 10


def _print_json(**values: Any) -> None:  # noqa: ANN401
    order = ("uploaded", "kept", "deleted", "failed", "bytes", "seconds")
    click.echo(json.dumps({name: values.get(name, []) for name in order}))


def show_findings(problems: tuple[Problem, ...]) -> None:
    """Shows what is wrong in files and templates, a line each, and how much it is."""
    for problem in problems:
        word = problem.level.name.lower()
        labelled = replace(problem, file=_here(problem.file), text=f"{word}: {problem.text}")
        click.secho(str(labelled), fg=_COLOURS[problem.level.name])
    levels = Counter(problem.level.name.lower() for problem in problems)
    said = ", ".join(count(levels[word], word) for word in ("error", "warning", "remark"))
    click.echo(f"Checked: {said}.")


_COLOURS = {"ERROR": "red", "WARNING": "yellow", "REMARK": None}


def show_refusals(refusals: tuple[Refuse, ...]) -> None:
    """Shows which files have been ruled out, and why."""
    for refusal in refusals:
        click.secho(f"refuse  {refusal.key}: {refusal.reason}", fg="red", err=True)


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


def show_status(prepared: Prepared) -> None:
    """Shows the release in force, and how the app's files differ from it."""
    show_warnings(prepared.warnings)
    record = prepared.remote.record
    missing = ", which does not exist yet" if prepared.remote.bucket_missing else ""
    store = prepared.remote.store
    click.echo(f"Bucket    {store.bucket} ({store.region}){missing}")
    if record is None:
        click.echo("Release   none yet: flask s3 deploy makes the first")
    else:
        total = sum(known.size for known in record.objects.values())
        click.echo(f"Release   {record.id}, of {record.time}")
        click.echo(f"Objects   {len(record.objects):,} ({size(total)})")
    reasons = Counter(put.reason.partition(":")[0] for put in prepared.plan.puts)
    for reason, number in sorted(reasons.items()):
        click.echo(f"Changed   {count(number, 'object')}: {reason}")
    gone = record.objects.keys() - {o.key for o in prepared.build.objects} if record else ()
    if gone:
        click.echo(f"Gone      {count(len(gone), 'object')}: published, and no file of the app now")
    if prepared.plan.refusals:
        click.echo(f"Refused   {len(prepared.plan.refusals):,}: flask s3 plan says why")
    elif not reasons and not gone:
        click.echo("Changed   nothing: what is published is what is here")


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
