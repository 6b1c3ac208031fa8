"""What both apps look like: a blueprint with nothing but static files."""

from flask import Blueprint

brand = Blueprint("brand", __name__, static_folder="static", static_url_path="/brand")
