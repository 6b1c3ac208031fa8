"""The pages that belong to no section: front page, basket, robots.txt, 404."""

from flask import Blueprint, Response, current_app, render_template, request, url_for
from werkzeug.exceptions import NotFound

from storefront.catalogue import FEATURED, PRODUCTS, Line, total

MAX_QUANTITY = 20

pages = Blueprint("pages", __name__)


@pages.get("/")
def home() -> str:
    """The front page: the season's shelf and a customer's favourite."""
    return render_template("home.html", products=PRODUCTS.values(), featured=FEATURED)


@pages.get("/basket")
def basket() -> str:
    """The basket that the address describes: `/basket?kettle=1&meadow-mug=2`.

    It needs neither a session nor JavaScript, and can be sent to a friend.
    """
    lines = basket_lines()
    return render_template("basket.html", lines=lines, total=total(lines))


def basket_lines() -> tuple[Line, ...]:
    """The products that the query names, no more of each than `MAX_QUANTITY`."""
    wanted = {slug: request.args.get(slug, 0, type=int) for slug in PRODUCTS}
    return tuple(
        Line(PRODUCTS[slug], min(quantity, MAX_QUANTITY))
        for slug, quantity in wanted.items()
        if quantity > 0
    )


@pages.get("/robots.txt")
def robots() -> Response:
    """Crawlers ask the shop's own host for this file, never the CDN's."""
    return current_app.send_static_file("robots.txt")


def not_found(_error: NotFound) -> tuple[str, int]:
    """The page for an address that leads nowhere, with its status."""
    return render_template("not_found.html"), 404


def price(cents: int) -> str:
    """An amount as a customer reads it: `price(2450) == "€24.50"`."""
    return f"€{cents // 100}.{cents % 100:02}"


def shelf() -> dict[str, dict[str, str | int]]:
    """What the basket's script has to know of every product, by slug."""
    return {
        product.slug: {
            "name": product.name,
            "cents": product.cents,
            "tone": product.tone,
            "image": url_for("static", filename=product.image),
            "page": url_for("shop.product", slug=product.slug),
        }
        for product in PRODUCTS.values()
    }
