#!/bin/sh
# The suites of the store, unchanged, on PostgreSQL; counted as check(3) does.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${PATCHCORD_BUILD:-build}

if [ "${1:-}" != --beside ]; then
    exec tests/postgres.sh "$0" --beside
fi
failed=0
for suite in "$build"/tests/unit/check_store_* "$build"/tests/unit/check_message_life "$build"/tests/unit/check_postgres*; do
    case $suite in
    *_sqlite) continue ;;
    esac
    [ -x "$suite" ] || continue
    STORE_MODEL_OPERATIONS=${STORE_MODEL_OPERATIONS:-3000} "$suite" || failed=1
done
PATCHCORD_TEST_ALONE=1 "$build/tests/wire/wire_postgres" || failed=1
# Two relays, and the database itself is killed, too.
TORTURE_SECONDS=${TORTURE_SECONDS:-4} "$build/tests/torture/torture" || failed=1
# From one kind of store to the other, and back.
"$build/tests/wire/wire_export" || failed=1
exit $failed
