#!/bin/sh
# Prints the path of a Chromium: on PATH, else from apt where it may, else Playwright's own download.
set -u
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then command -v "$name"; exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q chromium; } >&2
  if command -v chromium >/dev/null 2>&1; then command -v chromium; exit 0; fi
fi
.venv/bin/python -m playwright install chromium >&2
.venv/bin/python -c "from playwright.sync_api import sync_playwright as p; s=p().start(); print(s.chromium.executable_path); s.stop()"
