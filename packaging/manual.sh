#!/bin/sh
# manual.sh BUILD SHARE: writes the man pages and shell completions of the programs in BUILD below SHARE.
set -eu

build=$1 share=$2
bash=$share/bash-completion/completions zsh=$share/zsh/site-functions fish=$share/fish/vendor_completions.d
install -d "$share/man/man1" "$share/man/man8" "$bash" "$zsh" "$fish"

# put FILE PROGRAM WORD...: what the program prints, readable for everybody.
put() {
    file=$1 program=$2
    shift 2
    "$build/$program" "$@" >"$file"
    chmod 644 "$file"
}
put "$share/man/man1/patchcord.1" patchcord man
put "$share/man/man8/patchcord-relay.8" patchcord-relay man
for program in patchcord patchcord-relay; do
    put "$bash/$program" "$program" completion bash
    put "$zsh/_$program" "$program" completion zsh
    put "$fish/$program.fish" "$program" completion fish
done
