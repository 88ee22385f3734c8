#!/bin/sh
# tests/postgres.sh COMMAND...: runs a command beside a PostgreSQL of its own, in a temporary folder, on a socket there and no
# port, with the roles that Supabase has and an up-to-date database patchcord_template to copy; ends it afterwards. The
# command finds its URL in PATCHCORD_TEST_DATABASE, and PATCHCORD_TEST_STORE=postgres.
set -eu
build=${PATCHCORD_BUILD:-build}
case $build in
/*) ;;
*) build=$(cd "$(dirname "$0")/.." && pwd)/$build ;;
esac

# Where a distribution keeps what only the server's owner runs.
server=
for folder in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin /usr/bin; do
    [ -x "$folder/initdb" ] && server=$folder
done
[ -n "$server" ] || {
    echo "postgres.sh: no PostgreSQL server is installed (install.sh --deps test)" >&2
    exit 1
}

# PostgreSQL refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups "$@"
    else
        "$@"
    fi
}

work=$(mktemp -d "${TMPDIR:-/tmp}/patchcord-pg-XXXXXX")
chmod 755 "$work"
stop() {
    as_owner "$server/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM
if [ "$(id -u)" = 0 ]; then
    chown postgres "$work"
fi

as_owner "$server/initdb" -D "$work/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 >"$work.log" 2>&1 || {
    cat "$work.log" >&2
    exit 1
}
rm -f "$work.log"
# Durable as in service; the log is there for whoever looks why a test failed.
as_owner "$server/pg_ctl" -D "$work/data" -l "$work/log" -w \
    -o "-k $work -c listen_addresses= -c max_connections=400 -c shared_buffers=64MB -c max_wal_size=256MB" start >/dev/null

url="postgresql://postgres:not-asked-for@/?host=$work"
psql -q -v ON_ERROR_STOP=1 "$url" <<'SQL'
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create database patchcord_template;
SQL
PATCHCORD_DATA_DIR=$work/none PATCHCORD_LOG_LEVEL=warn PATCHCORD_DATABASE_URL="postgresql://postgres@/patchcord_template?host=$work" \
    "$build/patchcord-relay" migrate >/dev/null

# For tests that have the server to themselves.
cat >"$work/restart" <<SH
#!/bin/sh
if [ "\$(id -u)" = 0 ]; then
    exec setpriv --reuid=postgres --regid=postgres --init-groups "\$0"
fi
exec "$server/pg_ctl" -D "$work/data" -l "$work/log" -m immediate -w restart >/dev/null 2>&1
SH
chmod 755 "$work/restart"

export PATCHCORD_TEST_STORE=postgres PATCHCORD_TEST_DATABASE="$url" PATCHCORD_TEST_RESTART="$work/restart"
"$@"
