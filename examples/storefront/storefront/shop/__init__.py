"""The shelves: a listing, and a page for each product. Customers' reviews are nested inside."""

import unicodedata

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
    """All products, or those of one category (`?category=garden`) or with some words (`?q=plum`).

    Those without the words are there too, hidden, for the script that searches while one types.
    """
    chosen, words = request.args.get("category"), request.args.get("q", "")
    products = [p for p in PRODUCTS.values() if chosen in {None, p.category.slug}]
    return render_template(
        "shop/index.html",
        products=products,
        found=[p for p in products if has(p, words)],
        categories=Category,
        chosen=chosen,
        words=words,
    )


def has(product: Product, words: str) -> bool:
    """Whether a product's name and summary have all of the words."""
    text = bare(f"{product.name} {product.summary}")
    return all(word in text for word in bare(words).split())


def bare(text: str) -> str:
    """A text without accents and capitals: `bare("Äpfel") == "apfel"`."""
    marked = unicodedata.normalize("NFD", text.casefold())
    return "".join(letter for letter in marked if not unicodedata.combining(letter))


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
