#!/bin/sh
# The demo (a relay from start to stop, two bridge sessions, the commands that make tokens) under valgrind: no leak, no
# invalid access, in any of the processes.
set -eu
cd "$(dirname "$0")/.."

build=${PATCHCORD_BUILD:-build}
place=$PWD/$build/valgrind
rm -rf "$place"
mkdir -p "$place"

# The harness starts the programs of $PATCHCORD_BUILD: there, each is the real one under valgrind.
for name in patchcord patchcord-relay; do
    cat >"$place/$name" <<SCRIPT
#!/bin/sh
exec valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect,possible \\
    --errors-for-leak-kinds=definite,indirect,possible --track-fds=no --log-file='$place/$name.%p.log' \\
    '$PWD/$build/$name' "\$@"
SCRIPT
    chmod +x "$place/$name"
done

PATCHCORD_BUILD=$place "$build/tests/demo/demo"

checks=0 failures=0
for log in "$place"/*.log; do
    checks=$((checks + 1))
    # Findings begin with ==; lines with -- are notes on system calls that are newer than valgrind.
    grep -q '^==' "$log" || continue
    failures=$((failures + 1))
    echo "$log:"
    cat "$log"
done
# Two bridges and a relay at least.
[ $checks -ge 3 ] || {
    echo "only $checks processes ran under valgrind"
    failures=$((failures + 1))
}
echo "$((checks ? (checks - failures) * 100 / checks : 0))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures -eq 0 ]
