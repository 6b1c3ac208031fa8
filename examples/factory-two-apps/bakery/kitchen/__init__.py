"""What the bakers see."""

from flask import Blueprint, render_template

kitchen = Blueprint("kitchen", __name__)


@kitchen.get("/")
def home() -> str:
    """Return the page."""
    return render_template("kitchen.html")
