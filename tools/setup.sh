#!/usr/bin/env bash
# Set the project up on a fresh machine: Debian packages (as root), the virtual environment, the npm packages.
# Usage: tools/setup.sh [demo|test]. Does only what is not done yet, and says clearly what it cannot install.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-demo}

say() { printf 'setup: %s\n' "$*" >&2; }

need_program() { # program, Debian package, what it is for
  command -v "$1" >/dev/null 2>&1 || [ -n "$(ls $1 2>/dev/null)" ] || missing+=("$2") wanted+=("$2 ($3)")
}

missing=() wanted=()
command -v python3 >/dev/null || { say "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "Python 3.11 or newer is needed, found $(python3 --version)"; exit 1; }
command -v npm >/dev/null || { say "Node with npm is needed to build the extensions: apt-get install nodejs npm"; exit 1; }
python3 -c 'import venv, ensurepip' 2>/dev/null || { missing+=(python3-venv); wanted+=("python3-venv (the virtual environment)"); }
if [ "$purpose" = test ]; then
  need_program chromium chromium "the browser journey"
  need_program '/usr/lib/postgresql/*/bin/initdb' postgresql "the suite on PostgreSQL"
  need_program redis-server redis-server "the queue on Redis"
fi
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing ${missing[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
      || say "could not install: ${wanted[*]}"
  else
    say "not installed, and only root may install them: ${wanted[*]}"
  fi
fi

if ! cmp -s requirements-dev.lock .venv/installed.lock; then
  say "Python packages into .venv"
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
  cp requirements-dev.lock .venv/installed.lock
fi
if ! cmp -s package-lock.json node_modules/installed.lock; then
  say "npm packages into node_modules"
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/installed.lock
fi

# Shopify's Admin schema comes with a package of 250 dependencies; its data file alone is needed, for one test.
schema=@shopify/dev-mcp@1.16.0
if [ "$purpose" = test ] && [ ! -e node_modules/@shopify/dev-mcp/dist/data/admin_2026-10.json.gz ]; then
  say "Shopify's Admin schema ($schema)"
  folder=$(mktemp -d)
  if npm pack --silent --pack-destination "$folder" "$schema" >/dev/null; then
    mkdir -p node_modules/@shopify/dev-mcp
    tar -xzf "$folder"/*.tgz -C node_modules/@shopify/dev-mcp --strip-components=1 package/dist/data package/package.json
  else
    say "could not be had: the test that compares the committed schema with it is skipped"
  fi
  rm -rf "$folder"
fi
