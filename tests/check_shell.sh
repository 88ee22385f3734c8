#!/bin/sh
# Every shell script of the project passes shellcheck.
set -eu
cd "$(dirname "$0")/.."
# shellcheck disable=SC2046 # one argument a script; their names have no spaces
exec shellcheck $(git grep -lE '^#!/bin/sh' -- . ':!*.md')
