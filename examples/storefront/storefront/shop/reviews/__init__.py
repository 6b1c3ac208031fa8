"""Customers' reviews: a blueprint nested in `shop`, with templates and static files of its own."""

from collections import Counter

from flask import Blueprint, abort, render_template

from storefront.catalogue import PRODUCTS, Product

reviews = Blueprint(
    "reviews", __name__, url_prefix="/reviews", static_folder="static", template_folder="templates"
)


@reviews.get("/<slug>")
def index(slug: str) -> str:
    """All reviews of one product."""
    product = PRODUCTS.get(slug) or abort(404)
    return render_template("reviews/index.html", product=product, spread=spread(product))


def spread(product: Product) -> dict[int, int]:
    """How many reviews gave 5, 4, … 1 pips."""
    counted = Counter(review.rating for review in product.reviews)
    return {rating: counted[rating] for rating in range(5, 0, -1)}
