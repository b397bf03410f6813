#!/usr/bin/env bash
# report.sh [RESULTS [OUT]]: the allure HTML, one file, from a folder of results, with the pinned Allure 3 command line.
# RESULTS: reports/allure-results, or the newest reports/<run>/allure-results. OUT: allure-report beside RESULTS.
# Relative paths are relative to the checkout. The verdict is pytest's exit code: what happens here never changes it.
set -euo pipefail
cd "$(dirname "$0")/.."
allure=allure@3.18.0 node=node@22 # Allure's quality gate crashes on Node 20

die() { echo "report: $*" >&2; exit 1; }
newest() { find reports -mindepth 2 -maxdepth 2 -type d -name allure-results -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -1 | cut -d' ' -f2-; }

results=${1:-reports/allure-results}
[ $# -gt 0 ] || [ -d "$results" ] || results=$(newest)
[ -n "$results" ] && [ -d "$results" ] ||
  die "no results in ${results:-reports/allure-results} or reports/*/allure-results: run 'make verify', or pytest with --alluredir=DIR, first"
compgen -G "$results/*-result.json" >/dev/null || die "$results holds no test results (*-result.json): did the run end before its first test?"
out=${2:-$(dirname "$results")/allure-report}
[ ! -e "$out" ] || [ -f "$out/index.html" ] || [ -z "$(ls -A "$out")" ] ||
  die "$out is not empty and is no earlier report (no index.html): it is left alone, name another folder"

install_npm() {
  local log
  log=$(mktemp)
  echo "report: npx is missing: installing npm (apt-get, at most 6 minutes)"
  { timeout 60 apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends npm; } >"$log" 2>&1 </dev/null ||
    echo "report: npm could not be installed: $(tail -n 1 "$log")" >&2
  rm -f "$log"
}
if ! command -v npx >/dev/null && [ "$(id -u 2>/dev/null)" = 0 ] && command -v apt-get >/dev/null; then install_npm; fi
command -v npx >/dev/null ||
  die "npx is missing (it comes with Node.js and npm: 'apt-get install npm', or https://nodejs.org). The results stay in $results; the HTML is not built"

rm -rf "$out"
echo "report: building $out/index.html ($allure)"
RMQHA_RESULTS=$(realpath "$results") RMQHA_OUT=$(realpath -m "$out") timeout 300 \
  npx -y -p "$node" -p "$allure" -c 'allure generate "$RMQHA_RESULTS" --config scripts/allurerc.mjs --output "$RMQHA_OUT"' ||
  die "$allure failed or could not be fetched (the first use needs the npm registry). The results stay in $results"
[ -f "$out/index.html" ] || die "$allure wrote no $out/index.html. The results stay in $results"
ls -l "$out/index.html"
