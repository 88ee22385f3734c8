#!/bin/sh
# Runs every fuzz target on its seed corpus, and then on what it makes of it: the same inputs each time, or other ones for
# FUZZ_SECONDS where that is set. Inputs that it finds interesting stay in build-fuzz/corpus then, those that fail in
# build-fuzz/findings; what a failed target printed is shown.
set -u

cd "$(dirname "$0")/.." || exit 1
command -v clang >/dev/null || {
    echo "clang is needed: ./install.sh --deps test" >&2
    exit 1
}
if [ -n "${FUZZ_SECONDS:-}" ]; then
    effort="-max_total_time=$FUZZ_SECONDS"
else
    effort="-seed=1 -runs=3000 -max_total_time=20"
fi
checks=0 failures=0
for source in tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    subject=${target#fuzz_}
    seeds=tests/fuzz/corpus/$subject
    grown=build-fuzz/corpus/$subject
    mkdir -p "$grown" build-fuzz/findings
    checks=$((checks + 1))
    [ -n "$(ls "$seeds" 2>/dev/null)" ] || {
        echo "$target: no seed corpus in $seeds"
        failures=$((failures + 1))
        continue
    }
    # What was found before is not gone on from, where each run is to be the same.
    [ -n "${FUZZ_SECONDS:-}" ] || {
        grown=build-fuzz/fresh/$subject
        rm -rf "$grown"
        mkdir -p "$grown"
    }
    log=build-fuzz/$target.log
    # shellcheck disable=SC2086 # an option each
    "build-fuzz/tests/fuzz/$target" $effort -timeout=30 -rss_limit_mb=2048 -verbosity=0 \
        -artifact_prefix="build-fuzz/findings/$subject-" "$grown" "$seeds" >"$log" 2>&1 && continue
    echo "$target failed; its input is in build-fuzz/findings/$subject-*"
    tail -n 40 "$log"
    failures=$((failures + 1))
done
echo "$((checks ? (checks - failures) * 100 / checks : 0))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures -eq 0 ] && [ $checks -gt 0 ]
