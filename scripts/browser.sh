#!/usr/bin/env bash
# Install the browser in which report.html is tested, unless one is installed: Debian's Chromium.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt=(apt-get -qq -o DPkg::Lock::Timeout=600)
    { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends chromium fonts-dejavu-core; } >/dev/null
else
    echo "no browser for the tests of report.html. Install one: sudo apt-get install chromium" >&2
    exit 4
fi
