#!/bin/sh
# Looks for known vulnerabilities in functions that are called: build/vulncheck.sh TAGS
#
# The database is on the network. Where it cannot be reached, this says so and ends well; CI=true on GitHub reaches it.
set -eu
cd "$(dirname "$0")/.."
check=$(go -C build/tools tool -n govulncheck)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if { "$check" -tags "$1" ./... && "$check" -C otel -tags "$1" ./...; } >"$log" 2>&1; then
    cat "$log"
elif grep -qiE 'fetching vulnerabilities|vuln\.go\.dev|dial tcp|no such host|connection refused|forbidden' "$log"; then
    echo "vulncheck: THE DATABASE OF VULNERABILITIES CANNOT BE REACHED: NOTHING WAS CHECKED"
else
    cat "$log"
    exit 1
fi
