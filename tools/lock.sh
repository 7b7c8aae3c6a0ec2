#!/usr/bin/env bash
# Write the locks anew from pyproject.toml: requirements.lock for production, requirements-dev.lock for development and
# tests. The extras `parquet` and `bench-matrix` are in neither: `make bench-matrix` installs what it needs by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
common=(--quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --no-annotate pyproject.toml)
.venv/bin/pip-compile "${common[@]}" --output-file requirements.lock
.venv/bin/pip-compile "${common[@]}" --extra devstore --extra bench --extra test --output-file requirements-dev.lock
