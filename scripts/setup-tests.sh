#!/bin/sh
# Installs what the test suite needs besides Rust: a Python venv in the tree, npm packages beside their tests, and
# Prometheus, Alertmanager, Node.js and Chromium from Debian's packages. It starts none of them.
set -eu
cd "$(dirname "$0")/.."

missing=""
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need cc "gcc libc6-dev"
need prometheus prometheus
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager
need amtool prometheus-alertmanager
need node nodejs
need npm npm
need chromium "chromium fonts-dejavu-core"
if [ -n "$missing" ]; then
  missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test: please install: $missing (on Debian: apt-get install $missing)" >&2
    exit 1
  fi
  # Debian starts a service that it installs unless this file forbids it.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of names
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

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

stamp=tests/dashboards/node_modules/installed-from
if [ -e tests/dashboards/package-lock.json ] && ! cmp -s tests/dashboards/package-lock.json "$stamp"; then
  npm ci --prefix tests/dashboards --ignore-scripts --no-audit --no-fund --loglevel=error
  cp tests/dashboards/package-lock.json "$stamp"
fi
