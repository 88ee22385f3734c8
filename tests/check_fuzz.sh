#!/bin/sh
# Runs every fuzz target on its seed corpus, and then for FUZZ_SECONDS (1) on what it makes of it. Inputs that it finds
# interesting stay in build-fuzz/corpus, those that fail in build-fuzz/findings.
set -u

cd "$(dirname "$0")/.." || exit 1
command -v clang >/dev/null || {
    echo "clang is needed: ./install.sh --deps test" >&2
    exit 1
}
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
    "build-fuzz/tests/fuzz/$target" -max_total_time="${FUZZ_SECONDS:-1}" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
        -artifact_prefix="build-fuzz/findings/$subject-" "$grown" "$seeds" && continue
    echo "$target failed; its input is in build-fuzz/findings/$subject-*"
    failures=$((failures + 1))
done
echo "$((checks ? (checks - failures) * 100 / checks : 0))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures -eq 0 ] && [ $checks -gt 0 ]
