#!/bin/sh
# Proves that the docs match the programs: every setting, tool, argument, endpoint and command of the tables is in its document;
# every command and option that a document's shell example uses exists; examples parse; links lead somewhere; and the image
# of the Dockerfile has the libraries that they are linked to.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${PATCHCORD_BUILD:-build}
docs="README.md SECURITY.md CONTRIBUTING.md CHANGELOG.md docs/*.md"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0 failures=0

# expect DESCRIPTION COMMAND...: one check.
expect() {
    description=$1
    shift
    checks=$((checks + 1))
    "$@" >/dev/null 2>&1 && return
    failures=$((failures + 1))
    echo "FAILED: $description"
}

# documented FILE NAMES-FILE WHAT: each name stands in the file as `name`, perhaps with more behind it in the same quotes.
documented() {
    [ -s "$2" ] || expect "no $3 found in the sources" false
    while read -r name <&3; do
        expect "$3 $name is not in $1" grep -qE "\`([A-Z]+ )?$(echo "$name" | sed 's/[].[*^$/]/\\&/g')([^A-Za-z0-9_-][^\`]*)?\`" "$1"
    done 3<"$2"
}

# The names of the rows of a table of structs, from the line that opens it to the one that ends it.
rows() {
    sed -n "/$2/,/^};/p" "$1" | sed -n 's/^.*{ *\.name = "\([^"]*\)".*/\1/p'
}

# ---- the tables ----
rows relay/config.c 'config_settings\[\] = {' >"$work/relay_settings"
documented docs/deployment.md "$work/relay_settings" "the setting"
rows bridge/config.c 'config_settings\[\] = {' >"$work/bridge_settings"
documented docs/client-setup.md "$work/bridge_settings" "the setting"
rows common/tool_spec.c 'tool_specs\[\] = {' | sort -u >"$work/tools"
documented docs/protocol.md "$work/tools" "the tool or argument"
grep -oE '"/[a-z][A-Za-z0-9/._-]*"' relay/routes.c | tr -d '"' | sort -u >"$work/endpoints"
documented docs/protocol.md "$work/endpoints" "the endpoint"

# commands PROGRAM FILE...: the rows of its commands.
commands() {
    program=$1
    shift
    grep -hA 3 '^const struct [a-z_]*command [a-z_]* = {' "$@" | sed -n "s/.*\.name = \"\([^\"]*\)\".*/$program \1/p"
}
commands patchcord bridge/cmd/*.c bridge/*.c >"$work/bridge_commands"
documented docs/client-setup.md "$work/bridge_commands" "the command"
commands patchcord-relay relay/cmd/*.c >"$work/relay_commands"
documented docs/deployment.md "$work/relay_commands" "the command"

# Every setting that the example file shows is one.
sed -n 's/^#*\([A-Z_]*\)=.*/\1/p' .env.server.example >"$work/example_settings"
while read -r name <&3; do
    expect ".env.server.example has $name, which is no setting" grep -qx "$name" "$work/relay_settings"
done 3<"$work/example_settings"

# ---- the image ----

# Debian names a library's package by its soname: libpq.so.5 is in libpq5, libsqlite3.so.0 in libsqlite3-0. Elsewhere the numbers
# may be others. libmd comes with libbsd.
if grep -qsx 'VERSION_CODENAME=bookworm' /etc/os-release; then
    readelf -d "$build/patchcord" "$build/patchcord-relay" | sed -n 's/.*NEEDED.*\[\(lib.*\)\.so\.\([0-9]*\)\]$/\1 \2/p' |
        grep -vE '^lib(c|m|md) ' | sed 's/\([0-9]\) /\1-/; s/ //' | sort -u >"$work/libraries"
    expect "no library found in the programs" test -s "$work/libraries"
    sed -n '/^FROM debian:12-slim$/,$p' Dockerfile | tr -cs 'a-z0-9.-' '\n' >"$work/image"
    while read -r package <&3; do
        expect "the Dockerfile's image has no $package, which the programs are linked to" grep -qx "$package" "$work/image"
    done 3<"$work/libraries"
fi

# ---- shell examples ----
for doc in $docs; do
    awk -v prefix="$work/example-$(basename "$doc")-" '
        /^```sh$/ { inside = 1; number++; next }
        /^```/ { inside = 0 }
        inside { print > (prefix number ".sh") }' "$doc"
    grep -oE '\]\([^)#:]+\)' "$doc" | tr -d '])(' >"$work/links"
    while read -r link <&3; do
        expect "$doc links to $link, which is not there" test -e "$(dirname "$doc")/$link"
    done 3<"$work/links"
done
for example in "$work"/example-*.sh; do
    expect "$(basename "$example") does not parse" sh -n "$example"
done

# helped PROGRAM COMMAND...: the file with its help text, asked once. Its usage or synopsis is that of this very command.
# shellcheck disable=SC2048,SC2086 # a program and its words
helped() {
    file=$work/help-$(echo "$*" | tr ' /' '--')
    [ -e "$file" ] || "$build/"$* --help >"$file" 2>&1
    grep -qE "^(Usage:|   ) +$*( |\$)" "$file" && echo "$file"
}

# Each use of our programs in an example, one a line: program, command, and then its options.
cat "$work"/example-*.sh | sed -e ':join' -e '/\\$/{N;s/\\\n//;bjoin' -e '}' | sed 's/[;|&]/\n/g' |
    sed -nE 's/#.*//; s/^.*(^|[ (])(patchcord(-relay)?) +([a-z-]+)(.*)$/\2 \4 \5/p' >"$work/uses"
while read -r used command rest <&3; do
    # A command has one word or two.
    help=$(helped "$used" "$command" "${rest%% *}") || help=$(helped "$used" "$command") || help=/dev/null
    expect "an example uses \`$used $command $rest\`, which is no command" test -s "$help"
    for word in $rest; do
        case $word in
        -*) expect "an example uses $word with \`$used $command\`" grep -qE -- "(^|[^a-z-])${word%%=*}([^a-z-]|$)" "$help" ;;
        esac
    done
done 3<"$work/uses"
grep -ohE '^ *make( +[A-Za-z_=0-9-]+)*' "$work"/example-*.sh README.md | tr ' ' '\n' | grep -E '^[a-z-]+$' | sort -u | grep -vx make >"$work/goals"
while read -r goal <&3; do
    expect "docs use make $goal, which is no target" grep -qE "^$goal:" Makefile
done 3<"$work/goals"

echo "$(((checks - failures) * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures -eq 0 ]
