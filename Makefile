# What a person and CI run. Python 3.11 or newer with pip, and make, are enough: the rest goes into .venv.
.DELETE_ON_ERROR:
.PHONY: run setup test check bench lock sbom

# Asked from /, where no .python-version (it is for the platform's build) makes pyenv insist on another.
PYTHON ?= $(shell cd / && for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV_VERSION := 0.13.9

VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
export UV_PYTHON := $(BIN)/python
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
# Images often say not to keep compiled modules: every process would compile all of them again.
export PYTHONDONTWRITEBYTECODE :=

BROWSER_TOOLS := tests/browser/node_modules/.package-lock.json
# Debian's packages are fetched only where that needs no password.
APT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

run: setup
	@exec $(BIN)/python -m webapp dev

setup: $(VENV)/synced
	@:

# --without-pip, and pip from outside: a Python without ensurepip (Debian's) will do.
$(VENV)/uv-$(UV_VERSION):
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed, and was not found." >&2; exit 1; }
	cd / && $(PYTHON) -m venv --clear --without-pip $(VENV)
	cd / && $(PYTHON) -m pip --disable-pip-version-check --python $(BIN)/python install --quiet uv==$(UV_VERSION)
	@touch $@

$(VENV)/synced: $(VENV)/uv-$(UV_VERSION) pyproject.toml uv.lock
	$(UV) sync --frozen --inexact --all-groups --quiet
	@touch $@

test: setup $(if $(shell command -v npm),$(BROWSER_TOOLS))
	@for browser in chromium-headless-shell chromium chromium-browser google-chrome; do \
		command -v $$browser >/dev/null && exit; done; $(call install,chromium-headless-shell); \
		command -v chromium-headless-shell >/dev/null || $(call install,chromium)
	@command -v redis-server >/dev/null || $(call install,redis-server)
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || $(call install,nginx-light)
	@command -v caddy >/dev/null || $(call install,caddy)
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)  # for two cores: many wait

# Where it can't be had the tests that need it say so and are skipped; in CI they fail.
install = $(if $(APT),{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends $(1); } >/dev/null,true) || true

$(BROWSER_TOOLS): $(wildcard tests/browser/package-lock.json)
	$(if $<,npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(wildcard webapp tests bench)
	$(BIN)/djlint --lint --quiet templates
	$(UV) lock --check --quiet
	@$(audit)

# Findings fail (1). Out of reach of the advisories, which lie at osv.dev, it says so and goes on (2).
audit = $(UV) audit --frozen --preview-features audit-command || { status=$$?; [ $$status = 2 ] || \
	exit $$status; echo "NOT AUDITED: the advisories of osv.dev are out of reach from here."; }

bench: setup
	$(BIN)/python -m bench $(ARGS)

# After a change of the dependencies in pyproject.toml; `make lock ARGS=--upgrade` for the newest.
lock: $(VENV)/uv-$(UV_VERSION)
	$(UV) lock $(ARGS)

# What a deployment is made of, as CycloneDX (ASVS 15.1.2).
sbom: $(VENV)/uv-$(UV_VERSION)
	@$(UV) export --frozen --no-default-groups --format cyclonedx1.5 --quiet --no-progress
