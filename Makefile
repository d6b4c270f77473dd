PYTHON ?= python3
PY := .venv/bin/python
NODE_BIN := $(CURDIR)/.venv/node/bin
export PATH := $(NODE_BIN):$(PATH)
# a process that must compile the portal anew starts half a second later
unexport PYTHONDONTWRITEBYTECODE
PORT ?= 8000
PATIENTS ?= 132
# one more than cores: while a test waits for a server or a browser, another computes
TEST_WORKERS ?= 3
# what is imported is compiled then, and most of it never is
PIP_FLAGS := --quiet --disable-pip-version-check --no-compile

.PHONY: setup demo test lint validate up clean

setup: .venv/.ready portal/static/build/.ready

.venv/.ready: requirements.txt
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install $(PIP_FLAGS) -r requirements.txt
	touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.txt requirements-server.txt
	$(PY) -m pip install $(PIP_FLAGS) -r requirements-dev.txt
	touch $@

.venv/.ready-node: .venv/.ready
	sh deploy/node.sh $(PY)
	touch $@

frontend/node_modules/.ready: frontend/package-lock.json .venv/.ready-node
	cd frontend && npm ci --no-audit --no-fund --loglevel=error
	touch $@

portal/static/build/.ready: frontend/node_modules/.ready $(shell find frontend/src frontend/*.ts frontend/*.json -type f 2>/dev/null)
	cd frontend && npm run --silent build
	$(PY) manage.py collectstatic --noinput --verbosity 0
	touch $@

demo: setup
	$(PY) manage.py demo --patients $(PATIENTS) --port $(PORT)

up: setup
	$(PY) manage.py up --port $(PORT)

test: setup .venv/.ready-dev
	sh deploy/chromium.sh
	cd frontend && npm run --silent test
	$(PY) -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder --durations 25

lint: setup .venv/.ready-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy portal readers radiomics
	.venv/bin/lint-imports
	cd frontend && npm run --silent lint

validate: setup .venv/.ready-dev
	sh deploy/ohif.sh || true
	$(PY) -m pytest -m "slow"

clean:
	rm -rf .venv portal/static/build frontend/node_modules staticfiles .ohif
