#!/usr/bin/env bash
# Builds the allure HTML (one file) from a folder of results with the pinned Allure 3 command line.
set -euo pipefail
cd "$(dirname "$0")/.."
results=${1:-reports/allure-results}
out=${2:-reports/allure-report}

if [ ! -d "$results" ]; then
  echo "report: no results in $results: run 'make verify' first" >&2
  exit 1
fi
if ! command -v npx >/dev/null; then
  echo "report: npx (Node.js) is not installed: the results stay in $results, the HTML is not built" >&2
  exit 1
fi
rm -rf "$out"
echo "report: building $out/index.html (Allure 3.18.0)"
timeout 300 npx -y -p node@22 -p allure@3.18.0 -c "allure generate '$results' --config scripts/allurerc.mjs --output '$out'"
ls -l "$out/index.html"
