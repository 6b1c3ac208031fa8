"""Both apps in one process, for WSGI servers: `gunicorn both:app`."""

from bakery import create_counter, create_kitchen
from werkzeug.middleware.dispatcher import DispatcherMiddleware

app = DispatcherMiddleware(create_counter(), {"/kitchen": create_kitchen()})
