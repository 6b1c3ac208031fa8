"""The shelves: a listing, and a page for each product. Customers' reviews are nested inside."""

from flask import Blueprint, abort, render_template, request

from storefront.catalogue import PRODUCTS, Category, Product
from storefront.shop.reviews import reviews

shop = Blueprint(
    "shop", __name__, url_prefix="/shop", static_folder="static", template_folder="templates"
)
shop.register_blueprint(reviews)

RELATED = 4


@shop.get("/")
def index() -> str:
    """All products, or those of one category (`?category=garden`)."""
    chosen = request.args.get("category")
    products = [p for p in PRODUCTS.values() if chosen in {None, p.category.slug}]
    return render_template("shop/index.html", products=products, categories=Category, chosen=chosen)


@shop.get("/<slug>")
def product(slug: str) -> str:
    """One product, what customers say of it, and what goes with it."""
    shown = PRODUCTS.get(slug) or abort(404)
    return render_template("shop/product.html", product=shown, related=related(shown))


def related(product: Product) -> list[Product]:
    """Other products, those of the same category first."""
    others = [p for p in PRODUCTS.values() if p is not product]
    others.sort(key=lambda other: other.category is not product.category)
    return others[:RELATED]
