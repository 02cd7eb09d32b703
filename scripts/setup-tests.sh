#!/bin/sh
# Installs what the test suite needs besides Rust: a Python venv in the tree, and promtool from Debian's packages.
set -eu
cd "$(dirname "$0")/.."

stamp=.venv/installed-from
if ! cmp -s tests/e2e/requirements.txt "$stamp"; then
  rm -rf .venv
  python3 -m venv .venv || {
    echo "make test: python3 cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2
    exit 1
  }
  .venv/bin/pip install --quiet --disable-pip-version-check -r tests/e2e/requirements.txt
  cp tests/e2e/requirements.txt "$stamp"
fi

missing=""
command -v promtool >/dev/null || missing="$missing prometheus"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of names
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
  echo "make test: please install:$missing (on Debian: apt-get install$missing)" >&2
  exit 1
fi
