#!/bin/sh
# Runs govulncheck, $1, on the program. Without the database of vulnerabilities
# it fails and says so: silence must not look like "none".
set -eu
cd "$(dirname "$0")/.."
database=${GOVULNDB:-https://vuln.go.dev}
case $database in
file://*) [ -e "${database#file://}/index/db.json" ] || { echo "make vuln: $database has no index/db.json: it is no copy of the database of vulnerabilities" >&2; exit 1; } ;;
*)
    curl -fsS -m 15 -o /dev/null "$database/index/db.json" || {
        echo "make vuln: nothing was checked: the database of vulnerabilities, $database, does not answer." >&2
        echo "Run it where it does, or set GOVULNDB=file:///DIRECTORY, a copy of it." >&2
        exit 1
    } ;;
esac
exec "$1" -db "$database" ./...
