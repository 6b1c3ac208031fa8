"""What templates can call beside `url_for`: tags with integrity, preloads, import maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from ..errors import SettingsError
from . import tags
from .serving import Asked, state_of

if TYPE_CHECKING:
    from flask import Flask


def install(app: Flask) -> None:
    """Makes the helpers known to an app's templates."""
    app.jinja_env.globals.update(
        s3_script=s3_script,
        s3_stylesheet=s3_stylesheet,
        s3_preload=s3_preload,
        s3_integrity=s3_integrity,
        s3_importmap=s3_importmap,
        s3_origin=_Origin(),
    )


@pass_context
def s3_script(
    _context: Context,
    filename: str,
    *,
    endpoint: str = "static",
    **attributes: Any,  # noqa: ANN401
) -> Markup:
    """Returns a `script` element.

    Args:
        filename: as `url_for` takes it.
        endpoint: the same; `.static` is the blueprint's own.
        **attributes: any others: `type="module"`, `defer=True`, `nonce=…`.

    Raises:
        SettingsError: `integrity` and `crossorigin` are given by hand.
    """
    asked = _asked(filename, endpoint, attributes)
    trust = tags.trust("script", asked.integrity)
    return tags.element("script", {"src": asked.url, **trust, **attributes}, is_void=False)


@pass_context
def s3_stylesheet(
    _context: Context,
    filename: str,
    *,
    endpoint: str = "static",
    **attributes: Any,  # noqa: ANN401
) -> Markup:
    """Returns a `link` element for a style sheet; see `s3_script`."""
    asked = _asked(filename, endpoint, attributes)
    head = {"rel": "stylesheet", "href": asked.url, **tags.trust("style", asked.integrity)}
    return tags.element("link", {**head, **attributes}, is_void=True)


@pass_context
def s3_preload(
    _context: Context,
    filename: str,
    *,
    endpoint: str = "static",
    header: bool = False,
    **attributes: Any,  # noqa: ANN401
) -> Markup:
    """Returns a `link` element that preloads a file; an ES module without what it imports.

    Args:
        filename: as `url_for` takes it.
        endpoint: the same.
        header: send it as a `Link` header of the response rather than in the page. When the headers
            have gone out already it is an element after all.
        **attributes: any others: `as="image"`, `media=…`, `fetchpriority="high"`.
    """
    asked = _asked(filename, endpoint, attributes)
    wanted_as = str(attributes.pop("as", None) or attributes.pop("as_", None) or "")
    wanted_as = wanted_as or tags.destination(filename)
    is_module = wanted_as == "script" and asked.is_module
    if wanted_as == "script" and attributes.get("type") == "module":
        del attributes["type"]  # which is a script's own, and says no MIME type
        is_module = True
    relation = {"rel": "modulepreload"} if is_module else {"rel": "preload", "as": wanted_as}
    trust = tags.trust(wanted_as, asked.integrity)
    others = {**relation, "type": tags.mime_type(filename), **trust, **attributes}
    if header and state_of(current_app).add_link(tags.link_header(asked.url, others)):
        return Markup("")
    return tags.element("link", {"href": asked.url, **others}, is_void=True)


@pass_context
def s3_integrity(_context: Context, filename: str, *, endpoint: str = "static") -> str:
    """Returns a file's integrity, for a tag written by hand; empty where none is to be written.

    That is where the settings ask for none, and for style sheets that others import.
    """
    return _asked(filename, endpoint, {}).integrity


@pass_context
def s3_importmap(
    _context: Context,
    filename: str,
    *,
    endpoint: str = "static",
    **attributes: Any,  # noqa: ANN401
) -> Markup:
    """Returns an import map for the ES modules that one imports, directly or not.

    With it, specifiers that a module computes (`import("./lang/" + name)`) find the published
    names. It stands before the first module script. Empty when the app serves its own files.

    Args:
        filename: the module's, as `url_for` takes it.
        endpoint: the same.
        **attributes: of the `script` element, such as `nonce`.
    """
    imports, integrity = state_of(current_app).import_map(endpoint, filename)
    return tags.import_map(imports, integrity, attributes) if imports else Markup("")


def _asked(filename: str, endpoint: str, attributes: dict[str, Any]) -> Asked:
    for name in ("integrity", "crossorigin", "src", "href"):
        if name in attributes:
            raise SettingsError(
                f"{name} is given to a template helper, which writes it itself (integrity and "
                "crossorigin by FLASKS3_INTEGRITY): leave it out, or write the tag by hand."
            )
    return state_of(current_app).asked(endpoint, filename)


class _Origin:
    """`{{ s3_origin }}`: the origin of the published files, for CSP and `preconnect`.

    Empty when the app serves its own files.
    """

    def __str__(self) -> str:
        return state_of(current_app).origin()

    def __bool__(self) -> bool:
        return bool(str(self))
