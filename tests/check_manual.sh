#!/bin/sh
# Proves that man pages and completions are whole: each command and option of --help is in them, roff readers and shells take
# them without a warning, bash and fish complete by them, and the installation puts all of them in place.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${PATCHCORD_BUILD:-build}
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

# silent COMMAND...: it succeeds and prints nothing.
silent() {
    said=$("$@" 2>&1) && [ -z "$said" ]
}

has() {
    command -v "$1" >/dev/null
}

lint() {
    # A page without a date is the same page whenever it is built.
    ! mandoc -T lint -W warning "$1" | grep -v 'missing date'
}

expect "the installation fails" packaging/manual.sh "$build" "$work/share"
share=$work/share

# pages PROGRAM PAGE: what concerns one program.
pages() {
    program=$1 page=$2
    bash=$share/bash-completion/completions/$program
    zsh=$share/zsh/site-functions/_$program
    fish=$share/fish/vendor_completions.d/$program.fish
    has groff && expect "groff warns of $page" silent groff -man -Tutf8 -ww -z "$page"
    has mandoc && expect "mandoc warns of $page" lint "$page"
    expect "bash refuses $bash" silent bash -n "$bash"
    has zsh && expect "zsh refuses $zsh" silent zsh -n "$zsh"
    has fish && expect "fish refuses $fish" silent fish -n "$fish"
    sed 's/\\-/-/g' "$page" >"$work/page"

    { "$build/$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\( [a-z]*\)\{0,1\}[a-z-]*\)  *.*/\1/p' && printf 'completion\nman\n'; } >"$work/commands"
    expect "$program --help names commands" test "$(wc -l <"$work/commands")" -gt 15
    while read -r command <&3; do
        expect "$page has no $command" grep -qx ".SS $command" "$work/page"
        expect "$fish has no $command" grep -q -- " -a ${command##* }\( \|\$\)" "$fish"
        # shellcheck disable=SC2086 # one word or two
        "$build/$program" $command --help | sed -n 's/^  *\(-.*\)/\1/p' | sed 's/   *.*//' | grep -oE '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,' |
            sort -u >"$work/options"
        grep "^    '$command\( '\*\|'\)) " "$bash" >"$work/bash_case"
        grep "^    '$command\( '\*\|'\)) " "$zsh" >"$work/zsh_case"
        sed -n "/^\.SS $command\$/,/^\.S[SH] /p" "$work/page" >"$work/part"
        while read -r option <&4; do
            expect "$page has no $option of $command" grep -q -- "$option" "$work/part"
            expect "$bash has no $option of $command" grep -q -- " $option " "$work/bash_case"
            expect "$zsh has no $option of $command" grep -q -- " $option " "$work/zsh_case"
            expect "$fish has no $option of $command" grep -q -- "from ${command##* }' -[ls] $(printf %s "$option" | sed 's/^-*//')\$" "$fish"
        done 4<"$work/options"
    done 3<"$work/commands"
}
pages patchcord "$share/man/man1/patchcord.1"
pages patchcord-relay "$share/man/man8/patchcord-relay.8"

# completes EXPECTED WORD...: bash offers exactly that for the last word.
completes() {
    expected=$1
    shift
    # shellcheck disable=SC2016 # bash's own
    got=$(bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_$1"; echo "${COMPREPLY[*]}"' - \
        "$share/bash-completion/completions/$1" "$@")
    [ "$got" = "$expected" ]
}
expect "bash completes no command" completes "status" patchcord-relay stat
expect "bash completes no second word" completes "revoke rotate" patchcord-relay token r
expect "bash completes no option of two words" completes "--label" patchcord-relay token add --l
expect "bash completes no option" completes "--timeout" patchcord wait --t
expect "bash completes what is no command" completes "" patchcord nonsense --t
has fish && expect "fish completes no option of two words" test --label = \
    "$(fish -c "source $share/fish/vendor_completions.d/patchcord-relay.fish; complete -C 'patchcord-relay token add --l'")"

# settings FILE PAGE: the page has each row of that table.
settings() {
    sed -n '/config_settings\[\] = {/,/^};/s/^.*{ *\.name = "\([^"]*\)".*/\1/p' "$1" >"$work/settings"
    expect "$1 has settings" test -s "$work/settings"
    while read -r setting <&3; do
        expect "$2 has no $setting" grep -qx "\.B $setting" "$2"
    done 3<"$work/settings"
}
settings bridge/config.c "$share/man/man1/patchcord.1"
settings relay/config.c "$share/man/man8/patchcord-relay.8"

echo "$(((checks - failures) * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures -eq 0 ]
