# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The newest worker library needs Python 3.13; its contract test is skipped without one.
PYTHON_313 := $(shell for one in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python3.13; do \
	$$one -c '' 2>/dev/null && command -v $$one && break; done)

.PHONY: demo run test unit contract e2e check preflight package trial smoke format bench lock worker-venv infra-venv clean

demo: $(READY)
	@$(BIN)/python -m simulator.demo $(ARGS)

run: $(READY)
	@$(BIN)/python -m simulator.run $(ARGS)

test: $(READY) worker-venv
	$(BIN)/pytest --numprocesses=3 --dist=loadfile \
		--cov --cov-report=term:skip-covered --cov-fail-under=95 $(ARGS)

unit contract e2e: $(READY)
	$(BIN)/pytest tests/$@ $(ARGS)

check: $(READY) infra-venv
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m infra.preflight

# What can be wrong before a deployment; ARGS=--live asks Azure as well.
preflight: $(READY) infra-venv
	@$(BIN)/python -m infra.preflight $(ARGS)

# The zip that is deployed, and the demo call out of it.
package: $(READY) worker-venv
	@$(BIN)/python -m infra.package $(ARGS)

trial: $(READY) worker-venv
	@$(BIN)/python -m infra.trial $(ARGS)

# After a deployment: make smoke URL=https://… ARGS="--group GROUP --app APP"
smoke: $(READY)
	@$(BIN)/python -m infra.smoke $(URL) $(ARGS)

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(READY)
	@$(BIN)/python -m tests.bench $(ARGS)

# The locks hold every version for every supported Python; run this after a change of pyproject.toml.
lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	echo checkov==3.3.30 | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		- -o requirements-infra.txt

worker-venv:
ifneq ($(PYTHON_313),)
	@$(MAKE) --no-print-directory .venv-3.13/.ready
else
	@echo "no Python 3.13 at hand: the test with the real worker library is skipped"
endif

.venv-3.13/.ready: requirements.txt requirements-worker.txt
	@echo "Installing the worker library for Python 3.13 (once) ..."
	@$(PYTHON_313) -m venv .venv-3.13
	@.venv-3.13/bin/pip install --quiet -r requirements.txt -r requirements-worker.txt
	@touch $@

# checkov brings ninety packages, which are nobody else's business.
infra-venv: .venv-infra/.ready

.venv-infra/.ready: requirements-infra.txt
	@echo "Installing checkov (once) ..."
	@$(PYTHON) -m venv .venv-infra
	@.venv-infra/bin/pip install --quiet --disable-pip-version-check -r requirements-infra.txt
	@touch $@

$(READY): requirements.txt requirements-dev.txt
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "Installing what is needed into $(VENV) (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .venv-3.13 .venv-infra dist .run .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
