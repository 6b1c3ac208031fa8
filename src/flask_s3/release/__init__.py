"""From objects to a release: what is to be done, doing it, and remembering it."""
