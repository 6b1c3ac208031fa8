# The README's two commands are `make demo` and `make test`. Each makes its own virtual environment
# and needs nothing but Python 3.10+ and make.

PYTHON ?= python3
TEST := .venv/test
DEMO := .venv/demo
BENCH := .venv/bench

.PHONY: help demo test lint format docs bench clean

help:
	@echo "make demo    the storefront example, from a bucket on this machine (DEMO_ONCE=1: check and end)"
	@echo "make test    the tests, with coverage"
	@echo "make lint    format, style, types, layers"
	@echo "make docs    the documentation, in docs/_build/html"
	@echo "make bench   the benchmarks, beside other tools (ARGS=\"cold urls\": some of them)"

# pip brings uv, uv brings the rest in seconds; where uv finds no packages, pip does.
define install
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Flask-S3 needs Python 3.10 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip uv
	$(1)/bin/uv pip install --quiet --compile-bytecode --python $(1)/bin/python $(2) || $(1)/bin/pip install --quiet $(2)
	@touch $@
endef

$(TEST)/.ready: pyproject.toml
	$(call install,$(TEST),-e . --group test --group lint)

$(DEMO)/.ready: pyproject.toml
	$(call install,$(DEMO),-e .[preview] --group demo)

$(BENCH)/.ready: pyproject.toml
	$(call install,$(BENCH),-e . --group bench)

demo: $(DEMO)/.ready
	$(DEMO)/bin/python examples/demo.py

test: $(TEST)/.ready
	$(TEST)/bin/coverage erase
	$(TEST)/bin/coverage run -m pytest -n 2 $(ARGS)
	$(TEST)/bin/coverage combine --quiet
	$(TEST)/bin/coverage report

lint: $(TEST)/.ready
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/ruff check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

format: $(TEST)/.ready
	$(TEST)/bin/ruff format .
	$(TEST)/bin/ruff check --fix .

# First what is made from the source, which stands in the repository: people read it there too.
docs: $(TEST)/.ready
	$(TEST)/bin/python docs/settings.py > docs/settings.md
	$(TEST)/bin/python docs/commands.py > docs/reference/cli.md
	$(TEST)/bin/python docs/errors.py > docs/reference/errors.md
	$(TEST)/bin/sphinx-build -n -W --keep-going --fresh-env docs docs/_build/html

bench: $(BENCH)/.ready
	$(BENCH)/bin/python benchmarks/run.py $(or $(ARGS),all)

clean:
	rm -rf .venv .nox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage* dist docs/_build
