#!/bin/sh
# Watches a relay's calls to the system: the answer to a send goes out after the fdatasync that made it durable has
# come back, and sends at the same time share one. Counts as check(3) does; without strace it says so, and counts none.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${PATCHCORD_BUILD:-build}
sends=32      # at the same time
delay=50000   # microseconds that each fdatasync is made to last then

folder=$(mktemp -d) || exit 1
relay_pid='' strace_pid=''
end() {
    [ -n "$strace_pid" ] && kill "$strace_pid" 2>/dev/null && wait "$strace_pid" 2>/dev/null
    [ -n "$relay_pid" ] && kill "$relay_pid" 2>/dev/null && wait "$relay_pid" 2>/dev/null
    rm -rf "$folder"
}
trap end EXIT

if ! command -v strace >/dev/null || ! strace -o "$folder/probe" true 2>/dev/null; then
    echo 'strace is not here, or may not be used: not tried'
    exit 0
fi

checks=0 failures=0
# check NAME CONDITION...
check() {
    name=$1
    shift
    checks=$((checks + 1))
    "$@" && return
    failures=$((failures + 1))
    echo "FAILED: $name"
}

# Polls until the command succeeds, for ten seconds.
await() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -gt 200 ] && return 1
        sleep 0.05
    done
}

export PATCHCORD_DATA_DIR="$folder/data" PATCHCORD_PORT=0 PATCHCORD_RATE_LIMIT_PER_MINUTE=0
"$build/patchcord-relay" serve 2>"$folder/log" &
relay_pid=$!
await grep -q listening "$folder/log" || { cat "$folder/log"; exit 1; }
url=$(sed -n 's/.*listening url=\([^ ]*\).*/\1/p' "$folder/log")
token=$("$build/patchcord-relay" token add a@durable) && "$build/patchcord-relay" token add b@durable >/dev/null || exit 1

cat >"$folder/send" <<SEND
#!/bin/sh
curl -s --noproxy '*' -H 'Authorization: Bearer $token' -H 'Content-Type: application/json' "$url/mcp/bearer" -d \
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"send_message","arguments":{"to":"b","content":"'"\$1"'"}}}'
SEND
chmod +x "$folder/send"

# trace FILE OPTION...: strace follows the relay's threads from now on
trace() {
    file=$1
    shift
    strace -f -s 300 -e trace=pwrite64,fdatasync,fsync,sendto,sendmsg,writev "$@" -o "$file" -p "$relay_pid" 2>"$folder/strace" &
    strace_pid=$!
    await grep -q attached "$folder/strace"
}
untrace() {
    kill "$strace_pid"
    wait "$strace_pid" 2>/dev/null
    strace_pid=''
}

# Prints for each answer "Sent to": durable, where every byte written before was flushed by an fdatasync that had begun
# later and come back; else early.
judge() {
    awk '
        /pwrite64\(/ { synced = 0; begun = 0 }
        /f(data)?sync\(/ { begun = 1 }
        /f(data)?sync(\(| resumed).*= 0/ && begun { synced = 1 }
        /(sendto|sendmsg|writev)\(.*Sent to b/ { print synced ? "durable" : "early" }
    ' "$1"
}

"$folder/send" first >/dev/null
trace "$folder/one"
"$folder/send" second >/dev/null
untrace
check 'the answer to a send goes out after its fdatasync' [ "$(judge "$folder/one")" = durable ]
judge "$folder/one" | grep -q durable || cat "$folder/one"

trace "$folder/many" -e inject=fdatasync:delay_exit=$delay
seq $sends | xargs -P $sends -I '{}' "$folder/send" 'at once {}' >"$folder/answers"
untrace
answers=$(grep -o 'Sent to b' "$folder/answers" | wc -l)
syncs=$(grep -cE 'fdatasync(\(| resumed).*= 0' "$folder/many")
echo "durability: $answers sends at the same time, $syncs calls of fdatasync"
check 'every send is answered' [ "$answers" -eq $sends ]
check 'sends at the same time share one fdatasync' [ "$syncs" -ge 1 ] && check 'they share many' [ "$syncs" -le $((sends / 4)) ]

echo "$(((checks - failures) * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures -eq 0 ]
