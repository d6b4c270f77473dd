#!/bin/sh
# The browser of the browser tests: one that is there, else the system's package where that can be installed.
set -u
for name in "${OSTEON_CHROMIUM:-}" chromium chromium-browser google-chrome; do
  if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
    exit 0
  fi
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "Installing Chromium for the browser tests"
  if apt-get -o DPkg::Lock::Timeout=300 update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq chromium >/dev/null; then
    exit 0
  fi
fi
echo "NO BROWSER: install chromium or set OSTEON_CHROMIUM; the browser tests are skipped" >&2
