"""One deploy from start to end. `prepare` says what is to be done, `carry_out` does it."""

from __future__ import annotations

import time
from dataclasses import replace

from .. import manifest_file, urls
from ..access.carry_out import create
from ..assets import Refuse
from ..building.collect import key_prefixes
from ..errors import BuildError
from ..settings import BUCKET
from .prepare import Prepared
from .publish import Progress
from .purging import Purging
from .result import Result
from .run import InForce, Run


def carry_out(prepared: Prepared, progress: Progress) -> tuple[Result, Exception | None]:
    """Publishes what was prepared, and remembers it.

    Returns:
        The result, and the first error of the store that stood in the way, for callers who raise.

    Raises:
        LostRace: another release came into force, and the order says to give up then.
        SettingsError: the settings name no CDN that can be told; nothing was published.
        StoreError: the bucket cannot be created, or the store does not let us look again.
    """
    purging = Purging(prepared.app, prepared.settings)
    warnings = [*prepared.warnings, *_region_unknown_to_urls(prepared)]
    if prepared.remote.bucket_missing:
        warnings += _create_bucket(prepared)
    run = Run(prepared, progress, purging)
    outcome = run.to_the_end()
    published = run.published
    failures = (
        *prepared.plan.refusals,
        *published.failures,
        *run.not_sent,
        *outcome.failures,
        *_write_manifest(prepared, outcome),
    )
    if prepared.order.wait:
        purging.wait()
    wanted = {made.key for made in prepared.build.objects}
    result = Result(
        uploaded=tuple(sorted(wanted & published.stored.keys())),
        kept=tuple(keep.key for keep in prepared.plan.keeps if keep.key in wanted),
        deleted=(),
        failed=tuple(failure.key for failure in failures),
        failures=failures,
        warnings=tuple(dict.fromkeys([*warnings, *run.warnings])),
        bytes=published.bytes,
        seconds=time.monotonic() - prepared.started,
        release=outcome.release,
        interrupted=published.interrupted,
        purged=purging.purged,
        unpurged=purging.unpurged,
        purge_errors=purging.errors,
        copied=len(wanted & published.stored.keys() & prepared.plan.copies),
    )
    return result, published.cause or outcome.cause


def _create_bucket(prepared: Prepared) -> list[str]:
    return create(
        prepared.settings,
        prepared.remote.store.region,
        key_prefixes(prepared.app, prepared.settings),
        public=prepared.order.public,
    )


def _region_unknown_to_urls(prepared: Prepared) -> list[str]:
    """Says so when the region that the store told would make other URLs than serving does."""
    settings, region = prepared.settings, prepared.remote.store.region
    if urls.base(settings) == urls.base(replace(settings, region=region)):
        return []
    text = (
        f"The bucket lives in {region}, which serving does not know, so its URLs lead elsewhere: "
        f"set FLASKS3_REGION = {region!r}."
    )
    return [text]


def _write_manifest(prepared: Prepared, outcome: InForce) -> list[Refuse]:
    """Writes the manifest that the app serves by, once the release is in force."""
    settings = prepared.settings
    if not settings.fingerprint or settings.manifest == BUCKET or prepared.order.frozen:
        return []
    if not outcome.is_in_force:
        return []
    try:
        manifest_file.write(prepared.app, settings, prepared.build.manifest)
    except BuildError as error:
        return [Refuse(settings.manifest, str(error))]
    return []
