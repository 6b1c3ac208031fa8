"""A customer's account; the app decides at registration where it lives (`url_prefix`)."""

from flask import Blueprint, render_template

from storefront.catalogue import ORDERS, total

account = Blueprint("account", __name__, static_folder="static", template_folder="templates")


@account.get("/")
def index() -> str:
    """Mira's orders and address: the demonstration has one customer, always signed in."""
    return render_template("account/index.html", orders=ORDERS, total=total)
