#!/bin/sh
# Proves the include directions: which folders a folder's files may include, and which folders alone may name a library.
# Prints each line that breaks a rule, and counts as check(3) does: one check a source file.
set -u
cd "$(dirname "$0")/.." || exit 1

{
    # A folder (or one file, for which its folder's rule does not count then), and the folders whose headers its files may
    # include beside its own.
    cat <<'RULES'
layer common
layer bridge common
layer bridge/main.c common bridge bridge/cmd
layer bridge/cmd common bridge
layer relay/store common relay/upstream
layer relay/http common
layer relay/blob common relay/upstream
layer relay/fetch common
layer relay/upstream common
layer relay/auth common relay/http relay/store
layer relay/tools common relay relay/http relay/store relay/auth relay/blob relay/fetch
layer relay/oauth common relay relay/http relay/store relay/auth relay/fetch
layer relay/mcp common relay relay/http relay/store relay/auth relay/tools relay/blob
layer relay/api common relay relay/http relay/store relay/auth relay/blob
layer relay/cmd common relay relay/http relay/store relay/auth relay/api relay/oauth relay/mcp relay/tools relay/blob relay/fetch
layer relay common relay/http relay/store relay/blob
layer relay/routes.c common relay relay/http relay/auth relay/api relay/oauth relay/mcp
layer relay/main.c common relay relay/cmd
RULES
    # A library's headers, and the only folders that may name them.
    cat <<'RULES'
library microhttpd.h relay/http
library gnutls/ relay/http relay/cmd
library sqlite3.h relay/store
library curl/ bridge relay/cmd relay/fetch relay/upstream relay/blob
library libpq relay/store
library json-c/ common
RULES
    # shellcheck disable=SC2016 # awk's own fields
    find common bridge relay -name '*.[ch]' | sort | xargs awk '
        FNR == 1 { print "file", FILENAME }
        match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*[">]/) {
            split($0, part, /["<>]/)
            print ($0 ~ /"/ ? "ours" : "theirs"), FILENAME, FNR, part[2]
        }'
} | awk '
    function folder(path) { return path ~ /\// ? substr(path, 1, match(path, /\/[^\/]*$/) - 1) : "." }
    function resolve(path) {
        while (sub(/(^|\/)[^\/.]+\/\.\.\//, "/", path)) { }
        sub(/^\//, "", path)
        return path
    }
    function layer(path) { return path in known ? path : folder(path) }
    function fault(file, line, text) {
        print file ":" line ": " text
        broken[file] = 1
    }
    $1 == "layer" {
        for (i = 2; i <= NF; i++)
            may[$2, $i] = 1
        known[$2] = 1
    }
    $1 == "library" {
        for (i = 3; i <= NF; i++)
            names[$2, $i] = 1
        library[$2] = 1
    }
    $1 == "file" {
        files++
        if (!(layer($2) in known))
            fault($2, 1, "its folder has no rule in tests/check_layers.sh")
    }
    $1 == "ours" {
        from = layer($2)
        to = folder(resolve(folder($2) "/" $4))
        if (!((from, to) in may))
            fault($2, $3, from " may not include " $4)
    }
    $1 == "theirs" {
        for (prefix in library)
            if (index($4, prefix) == 1 && !((prefix, folder($2)) in names))
                fault($2, $3, folder($2) " may not name <" $4 ">")
    }
    END {
        for (file in broken)
            bad++
        printf "%d%%: Checks: %d, Failures: %d, Errors: 0\n", files ? (files - bad) * 100 / files : 0, files, bad
        exit bad > 0 || files == 0
    }'
