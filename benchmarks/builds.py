"""Builds in numbers: fingerprints beside Django's, encodings beside the codecs, URLs.

    python benchmarks/builds.py [fingerprints|encodings|urls|all] [--json FILE] [--rounds N]

Run it with a Python that has this project installed. ``README.md`` says what each figure is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from harness import (
    Command,
    CommandFailed,
    Comparison,
    Figure,
    Result,
    compare,
    cores,
    environment,
    fresh,
    machine,
    measure,
    report,
    write_json,
)
from npm_trees import VERSIONS, NpmTrees, count_files
from peers import Peers, call, package_versions

HERE = Path(__file__).parent
REPORTED = ("flask-s3", "flask", "werkzeug", "tree-sitter", "tree-sitter-javascript", "brotli")

COLD_LIMIT = 1 / 6
WARM_LIMIT = 1 / 20
CODECS_LIMIT = 1.15
HASH_LIMIT = 2.0
PYTHON_URL_LIMIT = 0.3
TEMPLATE_URL_LIMIT = 0.5
LOAD_LIMIT_MS = 15.0

FINGERPRINTED = ("bootstrap", "@fortawesome/fontawesome-free", "three")
#: Where modules import each other in circles.
CIRCULAR = "monaco-editor/esm"
#: 45 seconds of brotli and gzip on one core.
ENCODED = ("bootstrap", "three")
ENTRIES = 4000
#: A run that is a fraction of a second long is repeated so much more often.
OFTEN = 3

APP = """\
import flask
import flask_s3

app = flask.Flask(
    "bench", root_path={root!r}, static_folder={tree!r}, static_url_path="/static"
)
app.config.update({settings!r})
flask_s3.FlaskS3(app)
"""
SETTINGS: Mapping[str, object] = {
    "FLASKS3_BUCKET_NAME": "bench",
    "FLASKS3_REGION": "us-east-1",
    "FLASKS3_FINGERPRINT": True,
}

DJANGO_SETTINGS = """\
INSTALLED_APPS = ["django.contrib.staticfiles"]
SECRET_KEY = "bench"
STATIC_URL = "/static/"
STATICFILES_DIRS = [{tree!r}]
STATIC_ROOT = {out!r}
STORAGES = {{"staticfiles": {{"BACKEND": "bench_storage.{storage}"}}}}
"""
#: ``Forgiving`` is what it takes for Django to get to its end with three. It does not raise on a
#: reference to a file that is not there, of which three has two, in comments. And where names still
#: change after its five passes (three's modules import each other more levels deep than that), it
#: takes those that it has, where Django raises. With as many passes as the names need, more than
#: twelve, it would end well and take more than twice as long: this is the kinder measure.
DJANGO_STORAGE = """\
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class Shipped(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class Forgiving(Shipped):
    def hashed_name(self, name, content=None, filename=None):
        if content is None and not self.exists(filename or name):
            return name
        return super().hashed_name(name, content, filename)

    def post_process(self, *args, **kwargs):
        for name, hashed_name, processed in super().post_process(*args, **kwargs):
            if not isinstance(processed, RuntimeError):
                yield name, hashed_name, processed
"""


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    benchmarks: tuple[str, ...]
    work: Path
    python: str
    rounds: int | None
    json: Path | None

    @property
    def peers(self) -> Peers:
        """The peers, below the work folder."""
        return Peers(self.work / "peers", self.python)

    @property
    def trees(self) -> NpmTrees:
        """What is built."""
        return NpmTrees(self.work / "trees")


@dataclass(frozen=True)
class Site:
    """A tree, and beside it an app of each side that builds it; all of it stands in ``root``."""

    options: Options
    root: Path
    tree: Path
    files: int

    @property
    def app(self) -> Path:
        """Our app."""
        return self.root / "app.py"

    @property
    def manifest(self) -> Path:
        """What ``flask s3 build`` writes."""
        return self.root / "flask-s3-manifest.json"

    @property
    def out(self) -> Path:
        """What ``flask s3 build -o`` writes."""
        return self.root / "out"

    @property
    def collected(self) -> Path:
        """What ``collectstatic`` writes."""
        return self.root / "collected"

    @property
    def environment(self) -> dict[str, str]:
        """With an empty home, and the Django project on the path."""
        return environment(self.root / "home") | {"PYTHONPATH": str(self.root)}

    def clear(self) -> None:
        """Forget what was built before: caches, manifests, trees."""
        for folder in (self.root / ".flask-s3-cache", self.out, self.collected):
            fresh(folder).rmdir()
        self.manifest.unlink(missing_ok=True)

    def check(self) -> None:
        """Raise unless each manifest that was written names every file."""
        written = {
            self.manifest: "entries",
            self.collected / "staticfiles.json": "paths",
        }
        counts = [
            len(json.loads(path.read_bytes())[part])
            for path, part in written.items()
            if path.exists()
        ]
        if not counts or min(counts) < self.files:
            raise CommandFailed(f"manifests name {counts} of {self.files} files")

    def build(self, *arguments: str) -> Command:
        """Our command line."""
        argv = (self.options.python, "-m", "flask", "--app", str(self.app), "s3", "build")
        name = " ".join(["flask s3 build", *arguments[:1]])
        return Command(name, (*argv, *arguments), self.environment, self.root)

    def collectstatic(self, storage: str = "Forgiving") -> Command:
        """Django's."""
        settings = DJANGO_SETTINGS.format(
            tree=str(self.tree), out=str(self.collected), storage=storage
        )
        (self.root / "bench_settings.py").write_text(settings, encoding="utf-8")
        (self.root / "bench_storage.py").write_text(DJANGO_STORAGE, encoding="utf-8")
        argv = (
            *(self.options.peers.django(), "-m", "django", "collectstatic", "--noinput"),
            *("--settings", "bench_settings"),
        )
        return Command("collectstatic", argv, self.environment, self.root)


def make_site(options: Options, name: str, packages: Sequence[str], **settings: object) -> Site:
    """A site that publishes npm packages."""
    tree = options.trees.tree(*packages)
    site = Site(options, fresh(options.work / name), tree, count_files(tree))
    app = APP.format(root=str(site.root), tree=str(tree), settings={**SETTINGS, **settings})
    site.app.write_text(app, encoding="utf-8")
    return site


# fingerprints


def fingerprints_benchmark(options: Options) -> Result:
    """The whole command beside Django's, with nothing known and with everything known."""
    site, rounds = make_site(options, "fingerprints", FINGERPRINTED), options.rounds or 3
    ours, django = site.build(), site.collectstatic()
    cold = compare(ours, django, rounds, before=site.clear, after=site.check)
    warm = compare(ours, django, rounds, after=site.check)
    tree = compare(
        site.build("-o", str(site.out)), ours, rounds, before=site.clear, after=site.check
    )
    files = f"{site.files:,} files"
    return Result(
        "fingerprints",
        (
            ratio_figure("cold, ours : Django", cold, COLD_LIMIT, files),
            ratio_figure("warm, ours : Django", warm, WARM_LIMIT, files),
            Figure(
                "cold, with -o : Django",
                tree.first.wall / cold.second.wall,
                "x",
                note="writes the tree too, as Django does",
            ),
            *monaco_figures(options),
        ),
        (cold, warm, tree),
    )


def ratio_figure(name: str, pair: Comparison, limit: float, note: str) -> Figure:
    """The median of the paired ratios."""
    times = f"{1 / pair.ratio:.1f} x faster, {note}"
    return Figure(name, pair.ratio, "x", limit, times)


def monaco_figures(options: Options) -> tuple[Figure, Figure]:
    """Whether a tree with circles builds; ours has to, or the benchmark ends."""
    site = make_site(options, "circles", [CIRCULAR])
    ours = measure(site.build())
    site.check()
    return (
        Figure("monaco-editor, ours", ours.wall, "s", note=f"{site.files:,} files"),
        Figure("monaco-editor, Django's exit", *django_says(site.collectstatic("Shipped"))),
    )


def django_says(command: Command) -> tuple[float, str, None, str]:
    """0 or 1, and the last line of what it printed."""
    try:
        measure(command)
    except CommandFailed as failure:
        said = str(failure).strip().rpartition("\n")[2]
        return 1, "", None, said.partition(" with <")[0]
    return 0, "", None, "builds"


# encodings


def encodings_benchmark(options: Options) -> Result:
    """Variants: cold beside the codecs alone, warm beside reading and hashing the files."""
    site = make_site(options, "encodings", ENCODED, FLASKS3_ENCODINGS=("br", "gzip"))
    rounds = options.rounds or 3
    measure(site.build("-o", str(site.out)))
    variants = site.out.rename(site.root / "variants")
    cold, alone = beside_codecs(site, variants, rounds)
    hashing = Command(
        "read and hash",
        (options.python, str(HERE / "hash_probe.py"), str(site.tree)),
        site.environment,
        site.root,
    )
    whole = compare(site.build(), hashing, rounds * OFTEN, after=site.check)
    inside = run_probe(options, "warm_probe.py", site.app, site.tree, rounds * OFTEN)
    return Result(
        "encodings",
        (*cold_figures(cold, alone), *warm_figures(site, whole, inside)),
        (cold, whole),
    )


def beside_codecs(
    site: Site, variants: Path, rounds: int
) -> tuple[Comparison, Sequence[Mapping[str, float]]]:
    """Cold builds and the codecs in turn, and what the codecs' own process tells of each round."""
    found = site.root / "codecs.jsonl"
    found.unlink(missing_ok=True)
    argv = (str(HERE / "codecs_probe.py"), str(variants), str(cores()), str(found))
    alone = Command("codecs alone", (site.options.python, *argv), site.environment, site.root)
    cold = compare(site.build(), alone, rounds, before=site.clear)
    lines = found.read_text(encoding="utf-8").splitlines()
    return cold, [json.loads(line) for line in lines[-rounds:]]


def cold_figures(cold: Comparison, alone: Sequence[Mapping[str, float]]) -> tuple[Figure, ...]:
    """What a build takes beyond its codecs."""
    floors = [found["cpu"] / cores() for found in alone]
    walls, cpus = ([getattr(run, what) for run in cold.first.runs] for what in ("wall", "cpu"))
    machine_walls = [found["wall"] for found in alone]
    variants = f"{alone[0]['variants']:,} variants"
    return (
        Figure(
            "cold : codecs' CPU over the cores", paired(walls, floors), "x", CODECS_LIMIT, variants
        ),
        Figure(
            "codecs alone, the same",
            paired(machine_walls, floors),
            "x",
            note="more than 1: cores were busy with others, or idle at the end",
        ),
        Figure(
            "cold, CPU : codecs' CPU",
            paired(cpus, [found["cpu"] for found in alone]),
            "x",
            note="what does not hang on other load",
        ),
    )


def warm_figures(
    site: Site, whole: Comparison, inside: Mapping[str, Sequence[float]]
) -> tuple[Figure, ...]:
    """What a build takes that has everything in its cache."""
    files = f"{site.files:,} files"
    return (
        Figure(
            "warm : read and hash",
            paired(inside["build"], inside["hash"]),
            "x",
            HASH_LIMIT,
            f"inside a process, {files}",
        ),
        Figure("warm : read and hash", whole.ratio, "x", note="whole processes"),
        Figure("warm", median(inside["build"]) * 1000, "ms", note="inside a process"),
        Figure("read and hash", median(inside["hash"]) * 1000, "ms", note="inside a process"),
    )


# urls


def urls_benchmark(options: Options) -> Result:
    """What a URL costs with a manifest."""
    folder = fresh(options.work / "urls")
    found = run_probe(options, "manifest_probe.py", folder, ENTRIES, options.rounds or 25)
    python, template = (paired(found[side], found["flask"]) for side in ("python", "template"))
    loads, pairs = f"{ENTRIES:,} entries", "median of pairs"
    return Result(
        "urls",
        (
            scaled(found, "flask", "flask.url_for", 1e6, "µs"),
            scaled(found, "python", "ours, in Python", 1e6, "µs"),
            scaled(found, "template", "ours, in a template", 1e6, "µs"),
            Figure("in Python : flask", python, "x", PYTHON_URL_LIMIT, pairs),
            Figure("in a template : flask", template, "x", TEMPLATE_URL_LIMIT, pairs),
            scaled(found, "python_once", "in Python, a file's first time", 1e6, "µs"),
            scaled(found, "template_once", "in a template, a file's first time", 1e6, "µs"),
            scaled(found, "load", "load the manifest", 1e3, "ms", LOAD_LIMIT_MS, loads),
            scaled(found, "start", "an app's first URL", 1e3, "ms", None, "loads it, too"),
        ),
    )


def scaled(
    found: Mapping[str, Sequence[float]],
    side: str,
    name: str,
    scale: float,
    unit: str,
    limit: float | None = None,
    note: str = "",
) -> Figure:
    """The median of what a probe found, and its spread in the note."""
    low, high = min(found[side]) * scale, max(found[side]) * scale
    spread = f"{low:.3g} to {high:.3g}"
    notes = ", ".join(filter(None, [spread, note]))
    return Figure(name, median(found[side]) * scale, unit, limit, notes)


# The command


def run_probe(options: Options, script: str, *arguments: object) -> Mapping[str, Sequence[float]]:
    """What a probe prints under the Python that is measured."""
    argv = (options.python, str(HERE / script), *map(str, arguments))
    found: dict[str, Any] = json.loads(call(*argv))
    return found


def paired(first: Sequence[float], second: Sequence[float]) -> float:
    """The median of first : second, round by round."""
    return median(a / b for a, b in zip(first, second, strict=True))


BENCHMARKS: Mapping[str, Callable[[Options], Result]] = {
    "fingerprints": fingerprints_benchmark,
    "encodings": encodings_benchmark,
    "urls": urls_benchmark,
}


def run(options: Options) -> None:
    """Run the benchmarks that were asked for; print, and write JSON where wanted."""
    where = machine(versions(options))
    results = []
    for name in options.benchmarks:
        print(f"{name} …", file=sys.stderr, flush=True)
        results.append(BENCHMARKS[name](options))
    print(report(where, results))
    if options.json:
        write_json(options.json, where, results)


def versions(options: Options) -> Mapping[str, str]:
    """The versions of what is measured and of what it is compared with."""
    found = dict(package_versions(options.python, REPORTED))
    if "fingerprints" in options.benchmarks:
        found["Django"] = package_versions(options.peers.django(), ("django",))["django"]
        found |= VERSIONS
    return found


def parse_options(arguments: Sequence[str] | None, work: Path) -> Options:
    """The options of a command line; ``work`` is where files go unless ``--work`` says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("benchmark", nargs="?", default="all", choices=(*BENCHMARKS, "all"))
    parser.add_argument("--json", type=Path, help="write every run to this file")
    parser.add_argument("--rounds", type=int, help="rounds after the warm-up, for each benchmark")
    parser.add_argument("--work", type=Path, default=work, help="kept, with the peers, for reuse")
    parser.add_argument("--python", default=sys.executable, help="the one that has Flask-S3")
    found = parser.parse_args(arguments)
    return Options(
        benchmarks=tuple(BENCHMARKS) if found.benchmark == "all" else (found.benchmark,),
        work=found.work.resolve(),
        python=found.python,
        rounds=found.rounds,
        json=found.json,
    )


def main() -> None:
    """The command."""
    with tempfile.TemporaryDirectory(prefix="flask-s3-benchmarks-") as work:
        try:
            run(parse_options(None, Path(work)))
        except CommandFailed as failure:
            sys.exit(str(failure))


if __name__ == "__main__":
    main()
