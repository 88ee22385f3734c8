#!/bin/sh
# tests/clients/setup.sh DIR [PACKAGE]: installs the programs of package.json (or of that file), and a Node that they accept,
# into DIR: once, and again when the file changes.
set -eu

node_version=24.21.0
here=$(cd "$(dirname "$0")" && pwd)
package=$(realpath "${2:-$here/package.json}")
mkdir -p "$1"
cd "$1"

wanted="node $node_version $(cksum <"$package")"
[ "$(cat installed 2>/dev/null)" != "$wanted" ] || exit 0

case $(uname -m) in
x86_64) cpu=x64 ;;
aarch64) cpu=arm64 ;;
*)
    echo "no Node is published for $(uname -m); the client tests need x86_64 or aarch64" >&2
    exit 1
    ;;
esac
node=node-linux-$cpu

echo "  installing the programs of $package into $1" >&2
cp "$package" .
# Whether npm runs the packages' own install scripts depends on its version: none here, and below the one that is needed.
attempt=1
until npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error "$node@$node_version" >npm.log 2>&1; do
    [ $attempt -lt 3 ] || {
        cat npm.log >&2
        exit 1
    }
    attempt=$((attempt + 1))
done
ln -sf "node_modules/$node/bin/node" node
PATH=$PWD:$PATH
[ ! -d node_modules/@anthropic-ai/claude-code ] || node node_modules/@anthropic-ai/claude-code/install.cjs
echo "$wanted" >installed
