"""An app that an image carries, together with the manifest of its files' names."""

from flask import Flask, render_template

from flask_s3 import FlaskS3

app = Flask(__name__)
app.config["FLASKS3_BUCKET_NAME"] = "flask-s3-docker"
app.config["FLASKS3_FINGERPRINT"] = True
app.config["FLASKS3_STRICT"] = True  # an image without its manifest does not start
app.config.from_prefixed_env()  # FLASK_FLASKS3_BUCKET_NAME=… names another bucket
FlaskS3(app)


@app.get("/")
def home() -> str:
    """Return the page."""
    return render_template("home.html")
