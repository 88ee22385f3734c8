#!/bin/sh
# The suites of the store, unchanged, over PostgREST; counted as check(3) does.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${PATCHCORD_BUILD:-build}

if [ "${1:-}" != --beside ]; then
    exec tests/supabase.sh "$0" --beside
fi
failed=0
for suite in keep model namespaces oauth offer read send devices dump; do
    STORE_MODEL_OPERATIONS=${STORE_MODEL_OPERATIONS:-1000} "$build/tests/unit/check_store_$suite" || failed=1
done
TORTURE_SECONDS=${TORTURE_SECONDS:-4} "$build/tests/torture/torture" || failed=1
exit $failed
