# What a person and CI run. Python 3.11 or newer with pip, and make, are enough: the rest goes into .venv.
# Every path here is relative, so that the checkout's own may hold spaces, quotes, or any letters.
.DELETE_ON_ERROR:
.PHONY: run example setup test check bench lock sbom
ifeq ($(wildcard webapp/__main__.py),)
$(error Call make in the checkout, or with "make -C" and its path)
endif

# Asked from /, where no .python-version (it is for the platform's build) makes pyenv insist on another.
PYTHON ?= $(shell cd / && for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV_VERSION := 0.13.9

BIN := .venv/bin
UV := $(BIN)/uv
SYNC := $(UV) sync --frozen --inexact
export UV_PYTHON := $(BIN)/python
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV
# Made with a Python that is gone since: then it is made anew.
STALE := $(shell [ ! -x $(UV) ] || $(BIN)/python -c '' 2>/dev/null || rm -f .venv/uv-*)
# Images often say not to keep compiled modules: every process would compile all of them again.
export PYTHONDONTWRITEBYTECODE :=

BROWSER_TOOLS := tests/browser/node_modules/.package-lock.json
# Debian's packages are fetched only where that needs no password.
APT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

run: .venv/runs
	@exec $(BIN)/python -m webapp dev

setup: .venv/develops
	@:

# The application of `examples/`, and the accounts beside it unless they run already.
example: setup
	@exec $(BIN)/python examples

# Two sets of packages: what running needs, and the tools for tests and checks as well.
.venv/runs: .venv/uv-$(UV_VERSION) pyproject.toml uv.lock
	@echo "Installing what running needs into .venv: once, and after each change of uv.lock"
	@$(SYNC) --no-default-groups
	@touch $@

.venv/develops: .venv/uv-$(UV_VERSION) pyproject.toml uv.lock
	@echo "Installing what running, tests and checks need into .venv: once, and after each change of uv.lock"
	@$(SYNC) --all-groups
	@touch $@ .venv/runs

# --without-pip, and pip from outside: a Python without ensurepip (Debian's) will do.
.venv/uv-$(UV_VERSION):
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed, and was not found." >&2; exit 1; }
	@$(clear_venv)
	@echo "Making .venv with $$(cd / && "$(PYTHON)" --version), and fetching uv $(UV_VERSION) (20 MB)"
	@venv="$$PWD/.venv" && cd / && "$(PYTHON)" -m venv --without-pip "$$venv" && \
		"$(PYTHON)" -m pip --disable-pip-version-check --python "$$venv/bin/python" install uv==$(UV_VERSION)
	@touch $@

# One that is too old, or half made. Never anything else, and never through a link.
clear_venv = if [ -L .venv ]; then echo ".venv is a link: remove it first." >&2; exit 1; \
	elif [ -f .venv/pyvenv.cfg ]; then rm -rf .venv; \
	elif [ -e .venv ] && [ -n "$$(ls -A .venv)" ]; then \
		echo ".venv is no virtual environment: move it away first." >&2; exit 1; fi

test: setup $(if $(shell command -v npm),$(BROWSER_TOOLS))
	@for browser in chromium-headless-shell chromium chromium-browser google-chrome; do \
		command -v $$browser >/dev/null && exit; done; $(call install,chromium-headless-shell); \
		command -v chromium-headless-shell >/dev/null || $(call install,chromium)
	@command -v firefox-esr >/dev/null || command -v firefox >/dev/null || $(call install,firefox-esr)
	@command -v redis-server >/dev/null || $(call install,redis-server)
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || $(call install,nginx-light)
	@command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || $(call install,pgbouncer)
	@command -v caddy >/dev/null || $(call install,caddy)
	@[ -x $(BIN)/traefik ] || $(UV) pip install --quiet --require-hashes -r tests/traefik.txt || true
	@[ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || \
		$(call install,apache2 libapache2-mod-auth-openidc)
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)  # for two cores: many wait

# Where it can't be had the tests that need it say so and are skipped; in CI they fail.
install = $(if $(APT),{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends $(1); } >/dev/null,true) || true

$(BROWSER_TOOLS): $(wildcard tests/browser/package-lock.json)
	$(if $<,npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent)

check: setup
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy $(wildcard webapp tests bench)
	$(BIN)/python -m djlint --lint --quiet templates
	$(UV) lock --check --quiet
	@$(audit)

# Findings fail (1). Out of reach of the advisories, which lie at osv.dev, it says so and goes on (2).
audit = $(UV) audit --frozen --preview-features audit-command || { status=$$?; [ $$status = 2 ] || \
	exit $$status; echo "NOT AUDITED: the advisories of osv.dev are out of reach from here."; }

bench: setup
	$(BIN)/python -m bench $(ARGS)

# After a change of the dependencies in pyproject.toml; `make lock ARGS=--upgrade` for the newest.
lock: .venv/uv-$(UV_VERSION)
	$(UV) lock $(ARGS)

# What a deployment is made of, as CycloneDX (ASVS 15.1.2).
sbom: .venv/uv-$(UV_VERSION)
	@$(UV) export --frozen --no-default-groups --format cyclonedx1.5 --quiet --no-progress
