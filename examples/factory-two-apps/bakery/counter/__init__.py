"""What customers see."""

from flask import Blueprint, render_template

counter = Blueprint("counter", __name__)


@counter.get("/")
def home() -> str:
    """Return the page."""
    return render_template("counter.html")
