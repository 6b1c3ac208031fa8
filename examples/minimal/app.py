"""One page, a style sheet and a picture: `flask s3 preview` shows it."""

from flask import Flask, render_template_string

from flask_s3 import FlaskS3

app = Flask(__name__)
app.config["FLASKS3_BUCKET_NAME"] = "flask-s3-minimal"
app.config["FLASKS3_FINGERPRINT"] = True
app.config.from_prefixed_env()  # FLASK_FLASKS3_BUCKET_NAME=… names another bucket
FlaskS3(app)

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Minimal</title>
<link rel="icon" href="{{ url_for('static', filename='kettle.svg') }}">
<link rel="stylesheet" href="{{ url_for('static', filename='style.css') }}">
<h1>It is on.</h1>
<img src="{{ url_for('static', filename='kettle.svg') }}" alt="A kettle" width="160" height="160">
"""


@app.get("/")
def home() -> str:
    """Return the page."""
    return render_template_string(PAGE)
