"""A page whose scripts and styles Vite bundles, and Flask-S3 publishes."""

from flask import Flask, render_template

from flask_s3 import FlaskS3

app = Flask(__name__)
app.config["FLASKS3_BUCKET_NAME"] = "flask-s3-vite"
app.config["FLASKS3_FINGERPRINT"] = True  # Vite's names are kept; pages use what Vite calls them by
app.config["FLASKS3_STRICT"] = (
    True  # a page that asks for a file that Vite did not make is an error
)
app.config.from_prefixed_env()  # FLASK_FLASKS3_BUCKET_NAME=… names another bucket
FlaskS3(app)


@app.get("/")
def home() -> str:
    """Return the page."""
    return render_template("tide.html")
