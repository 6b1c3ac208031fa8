"""Programs that measure within one process; each runs in the Python that is measured."""
