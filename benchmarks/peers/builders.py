"""What the peers are told to do that build: Django, WhiteNoise, flask-static-digest."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness import Command
from options import Options
from stores.running import BUCKET, Store

DJANGO_SETTINGS = """\
INSTALLED_APPS = ["django.contrib.staticfiles"]
SECRET_KEY = "bench"
STATIC_URL = "/static/"
STATICFILES_DIRS = [{tree!r}]
STATIC_ROOT = {out!r}
STORAGES = {{"staticfiles": {{"BACKEND": {backend!r}, "OPTIONS": {options!r}}}}}
"""
#: ``Forgiving`` is what it takes for Django to get to its end. It does not raise on a reference to
#: a file that is not there. And where names still change after its five passes (where modules
#: import each other more levels deep than that, or in circles), it takes those that it has, where
#: Django raises. With as many passes as the names need it would take longer: this is the kinder
#: measure.
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
DIGEST_APP = """\
from flask import Flask
from flask_static_digest import FlaskStaticDigest

app = Flask("bench", static_folder={tree!r}, static_url_path="/static")
app.config["FLASK_STATIC_DIGEST_COMPRESSION"] = ["brotli", "gzip"]
FlaskStaticDigest(app)
"""


def collectstatic(options: Options, root: Path, tree: Path, storage: str = "Forgiving") -> Command:
    """Django's ``collectstatic`` of a tree to ``root/collected``, with names that change."""
    (root / "bench_storage.py").write_text(DJANGO_STORAGE, encoding="utf-8")
    settings = DJANGO_SETTINGS.format(
        tree=str(tree), out=str(root / "collected"), backend=f"bench_storage.{storage}", options={}
    )
    python = options.peers.with_package("django")
    return _collectstatic(options, "collectstatic", python, root, settings)


def django_storages(options: Options, tree: Path, store: Store) -> Command:
    """``collectstatic`` to a bucket, with django-storages' manifest storage."""
    s3 = {
        "bucket_name": BUCKET,
        "endpoint_url": store.url,
        "access_key": store.keys["AWS_ACCESS_KEY_ID"],
        "secret_key": store.keys["AWS_SECRET_ACCESS_KEY"],
        "region_name": "us-east-1",
        "location": "static",
    }
    backend = "storages.backends.s3.S3ManifestStaticStorage"
    settings = DJANGO_SETTINGS.format(tree=str(tree), out="", backend=backend, options=s3)
    python = options.peers.with_package("django-storages")
    return _collectstatic(options, "django-storages", python, tree.parent, settings)


def _collectstatic(options: Options, name: str, python: str, root: Path, settings: str) -> Command:
    module = f"settings_{name.replace('-', '_')}"
    (root / f"{module}.py").write_text(settings, encoding="utf-8")
    argv = (python, "-m", "django", "collectstatic", "--noinput", "--settings", module)
    return Command(name, argv, options.environment() | {"PYTHONPATH": str(root)}, root)


def whitenoise(options: Options, tree: Path) -> Command:
    """WhiteNoise's compressor: gzip and Brotli beside the files of a tree."""
    python = options.peers.with_package("whitenoise")
    argv = (python, "-m", "whitenoise.compress", "--quiet", str(tree))
    return Command("whitenoise.compress", argv, options.environment(), tree.parent)


def static_digest(options: Options, tree: Path) -> Command:
    """``flask digest compile``: names that change, gzip and Brotli, inside a tree."""
    app = tree.parent / "digest_app.py"
    app.write_text(DIGEST_APP.format(tree=str(tree)), encoding="utf-8")
    python = options.peers.with_package("flask-static-digest")
    argv = (python, "-m", "flask", "--app", str(app), "digest", "compile")
    return Command("flask digest compile", argv, options.environment(), tree.parent)


def copied(source: Path, tree: Path) -> None:
    """A copy for those who write into the tree that they build."""
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(source, tree)
