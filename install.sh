#!/bin/sh
# install.sh: puts Patchcord on this machine, from a checkout, from an unpacked release, or piped into sh from a release's
# folder; takes it away again; or installs what building and testing it needs. See --help.
set -eu

# Where a release was published; packaging/dist.sh fills this in.
release=

from=$PWD
home=${HOME:-/root}
prefix=$home/.local
notes=${XDG_STATE_HOME:-$home/.local/state}/patchcord/install/programs
here=
case $0 in */install.sh | install.sh) here=$(cd "$(dirname "$0")" && pwd) ;; esac
deps=
dry_run=
uninstall=
purge=
full=
programs_only=
quiet=
work=

usage() {
    cat <<'TEXT'
usage: ./install.sh [--prefix DIR] [--full] [--programs] [--dry-run]
       ./install.sh --uninstall [--purge] [--dry-run]
       ./install.sh --deps [build|test|static|bench] [--dry-run]
       curl -fsSL URL/install.sh | sh -s -- --release URL

Puts patchcord and patchcord-relay into DIR/bin, their man pages and shell completions into DIR/share, and runs
`patchcord install`, which sets up the agents' programs that it finds. From a checkout it builds them (installing first
what the build needs); an unpacked release has them; piped, it gets this machine's archive from the release's folder and
checks its SHA-256.

  --prefix DIR   where to install (default: ~/.local)
  --full         the full status line in Claude Code
  --programs     the programs with their man pages and completions alone, without `patchcord install`
  --release URL  the folder with the release's archives and SHA256SUMS: https, or a path
  --uninstall    takes away what it put there, and what `patchcord install` did; tokens and waiting messages stay
  --purge        with --uninstall: removes these, too
  --deps build   only installs what building and the demo need (compiler, libraries)
  --deps test    only installs what the tests need beyond that (clang, npm, nginx, ...)
  --deps bench   only installs what `make bench` compares with and draws by
  --deps static  only installs what `make static` needs beyond it
  --dry-run      only shows the commands that would be run
  --help         this text

Package managers that it knows: apt-get, dnf, apk, pacman. Nothing is asked of them where everything is there already.
TEXT
}

die() {
    echo "install.sh: $*" >&2
    exit 1
}

misuse() {
    echo "install.sh: $*" >&2
    usage >&2
    exit 2
}

run() {
    [ -n "$quiet" ] || echo "+ $*" >&2
    [ -n "$dry_run" ] || "$@"
}

# What is needed: for which profile, how it is recognised, and its package by manager (- where that has none).
table() {
    cat <<'TABLE'
build command:cc           gcc                  gcc                 gcc               gcc
build header:stdio.h       libc6-dev            glibc-devel         musl-dev          glibc
build command:make         make                 make                make              make
build command:pkg-config   pkg-config           pkgconf-pkg-config  pkgconf           pkgconf
build library:libmicrohttpd libmicrohttpd-dev   libmicrohttpd-devel libmicrohttpd-dev libmicrohttpd
build library:json-c       libjson-c-dev        json-c-devel        json-c-dev        json-c
build library:libsodium    libsodium-dev        libsodium-devel     libsodium-dev     libsodium
build library:libbsd       libbsd-dev           libbsd-devel        libbsd-dev        libbsd
build library:libcurl      libcurl4-openssl-dev libcurl-devel       curl-dev          curl
build library:sqlite3      libsqlite3-dev       sqlite-devel        sqlite-dev        sqlite
build library:libpq        libpq-dev            libpq-devel         libpq-dev         postgresql-libs
build library:gnutls       libgnutls28-dev      gnutls-devel        gnutls-dev        gnutls
build library:check        check                check-devel         check-dev         check
test  command:clang        clang                clang               clang             clang
test  fuzzer:clang         libclang-rt-14-dev   compiler-rt         compiler-rt       compiler-rt
test  command:git          git                  git                 git               git
test  command:curl         curl                 curl                curl              curl
test  command:shellcheck   shellcheck           ShellCheck          shellcheck        shellcheck
test  command:mandoc       mandoc               mandoc              mandoc            mandoc
test  command:zsh          zsh                  zsh                 zsh               zsh
test  command:fish         fish                 fish                fish              fish
test  command:ip           iproute2             iproute             iproute2          iproute2
test  command:npm          npm                  nodejs-npm          npm               npm
test  command:chromium     chromium             chromium            chromium          chromium
test  command:nginx        nginx-light          nginx               nginx             nginx
test  command:openssl      openssl              openssl             openssl           openssl
test  command:/usr/bin/python3 python3          python3             python3           python
test  command:valgrind     valgrind             valgrind            valgrind          valgrind
test  command:strace       strace               strace              strace            strace
test  server:postgres      postgresql           postgresql-server   postgresql        postgresql
test  python:swift.proxy.server swift-proxy     -                   -                 -
test  python:swift.container.server swift-container -               -                 -
test  python:swift.account.server swift-account -                   -                 -
test  python:swift.obj.server swift-object      -                   -                 -
static command:dpkg-source dpkg-dev             -                   -                 -
static library:libssl      libssl-dev           -                   -                 -
bench command:pip3         python3-pip          python3-pip         py3-pip           python-pip
bench command:gnuplot      gnuplot-nox          gnuplot             gnuplot           gnuplot
TABLE
}

# is_there KIND:NAME
is_there() {
    name=${1#*:}
    case $1 in
    command:*) command -v "$name" >/dev/null || [ -x "/usr/sbin/$name" ] ;;
    library:*) command -v pkg-config >/dev/null && pkg-config --exists "$name" ;;
    header:*) echo "#include <$name>" | cc -E - >/dev/null 2>&1 ;;
    python:*) /usr/bin/python3 -c "import $name" 2>/dev/null ;;
    fuzzer:*) echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
        "$name" -fsanitize=fuzzer,address -x c -o /dev/null - 2>/dev/null ;;
    server:*) command -v "$name" >/dev/null || ls /usr/lib/postgresql/*/bin/"$name" >/dev/null 2>&1 ;;
    *) die "unknown kind in the table: $1" ;;
    esac
}

find_manager() {
    if command -v apt-get >/dev/null; then
        manager=apt
    elif command -v dnf >/dev/null; then
        manager=dnf
    elif command -v apk >/dev/null; then
        manager=apk
    elif command -v pacman >/dev/null; then
        manager=pacman
    else
        die "no apt-get, dnf, apk or pacman here: install by hand what \`./install.sh --help\` and its table name"
    fi
}

# Prints the packages of the profile's missing things, each once.
missing_packages() {
    table | while read -r profile thing apt dnf apk pacman; do
        [ "$profile" = "$1" ] || continue
        is_there "$thing" && continue
        case $manager in
        apt) package=$apt ;;
        dnf) package=$dnf ;;
        apk) package=$apk ;;
        pacman) package=$pacman ;;
        esac
        [ "$package" = - ] || echo "$package"
    done | sort -u
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        run "$@"
    elif command -v sudo >/dev/null; then
        run sudo "$@"
    else
        die "this needs root, and there is no sudo here; as root run: $*"
    fi
}

install_packages() {
    case $manager in
    apt)
        as_root apt-get update -q
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
        ;;
    dnf) as_root dnf install -y "$@" ;;
    apk) as_root apk add "$@" ;;
    pacman) as_root pacman -Sy --needed --noconfirm "$@" ;;
    esac
}

install_deps() {
    find_manager
    packages=$(missing_packages "$1")
    [ -n "$packages" ] || return 0
    # shellcheck disable=SC2086 # one argument a package
    install_packages $packages >&2
}

# ---- the programs ----

# sha256 FILE: in hexadecimal.
sha256() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

# Whether FILE is as we put it there.
is_ours() {
    [ -f "$1" ] && [ ! -L "$1" ] && grep -qxF "$(sha256 "$1") $1" "$notes" 2>/dev/null
}

# is_our_program FILE: by what it says of itself.
is_our_program() {
    [ -x "$1" ] || return 1
    case $("$1" --version 2>/dev/null || true) in
    "${1##*/} "[0-9]*) return 0 ;;
    esac
    return 1
}

# is_our_document FILE: a man page or a completion of ours, whoever put it there.
is_our_document() {
    [ ! -L "$1" ] && grep -qE '^(\.TH patchcord(-relay)? |#compdef patchcord|complete .*patchcord)' "$1" 2>/dev/null
}

# put FILE TARGET MODE: in one step, so that a running program goes on with the old one.
put() {
    run install -m "$3" "$1" "$2.new"
    run mv -f "$2.new" "$2"
    [ -z "$dry_run" ] || return 0
    mkdir -p "$(dirname "$notes")"
    chmod 700 "$(dirname "$notes")" "$(dirname "$(dirname "$notes")")"
    touch "$notes"
    { awk -v path="$2" 'substr($0, index($0, " ") + 1) != path' "$notes" && echo "$(sha256 "$2") $2"; } >"$notes.new"
    mv -f "$notes.new" "$notes"
}

# A folder that is gone at the end.
make_work() {
    [ -z "$work" ] || return 0
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
}

is_taken() {
    { [ -e "$1" ] || [ -L "$1" ]; } && ! is_ours "$1"
}

# put_program FILE TARGET
put_program() {
    if is_taken "$2" && ! is_our_program "$2"; then
        die "$2 is there already, and is none of ours: move it away, or choose another --prefix"
    fi
    put "$1" "$2" 755
}

# put_document FILE TARGET
put_document() {
    if is_taken "$2" && ! is_our_document "$2"; then
        echo "$2 is there already, is none of ours, and stays" >&2
    else
        make_folder "$(dirname "$2")"
        put "$1" "$2" 644
    fi
}

# make_folder FOLDER: with those above it; those that were missing are noted.
make_folder() {
    [ ! -d "$1" ] || return 0
    [ -d "$(dirname "$1")" ] || make_folder "$(dirname "$1")"
    run install -d "$1" # for everybody, as the programs are, whatever the umask
    [ -n "$dry_run" ] || made="$made
folder $1"
}

# put_programs FOLDER PACKAGING
put_programs() {
    made=
    make_folder "$prefix/bin"
    put_program "$1/patchcord" "$prefix/bin/patchcord"
    put_program "$1/patchcord-relay" "$prefix/bin/patchcord-relay"
    put_documents "$1" "$2"
    [ -z "$made" ] || echo "$made" | sed 1d >>"$notes"
}

# What the programs print of themselves.
put_documents() {
    echo "+ man pages and completions into $prefix/share" >&2
    [ -z "$dry_run" ] || return 0
    make_work
    quiet=yes
    "$2/manual.sh" "$1" "$work/share"
    (cd "$work/share" && find . -type f) >"$work/documents"
    while read -r document; do
        put_document "$work/share/$document" "$prefix/share/${document#./}"
    done <"$work/documents"
    quiet=
}

# get NAME FOLDER: one of the release's files.
get() {
    case $release in
    https://* | http://localhost[:/]* | http://127.0.0.1[:/]*)
        if command -v curl >/dev/null; then
            curl -fsSL -o "$2/$1" "$release/$1" || die "$release/$1 cannot be fetched"
        elif command -v wget >/dev/null; then
            wget -q -O "$2/$1" "$release/$1" || die "$release/$1 cannot be fetched"
        else
            die "curl or wget is needed to fetch $release/$1"
        fi
        ;;
    http://*) die "$release is not encrypted: use https" ;;
    *) cp "$release/$1" "$2/$1" || die "$release/$1 cannot be read" ;;
    esac
}

# Gets this machine's archive, or the source where there is none, checks it, and goes on with what is in it.
install_release() {
    make_work
    get SHA256SUMS "$work"
    machine=$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
    archive=$(sed -n "s/^[0-9a-f]\{64\}  \(patchcord-[0-9][0-9A-Za-z.]*-$machine\.tar\.gz\)\$/\1/p" "$work/SHA256SUMS" | tail -n 1)
    [ -n "$archive" ] ||
        archive=$(sed -n 's/^[0-9a-f]\{64\}  \(patchcord-[0-9][0-9A-Za-z.]*\.tar\.gz\)$/\1/p' "$work/SHA256SUMS" | tail -n 1)
    [ -n "$archive" ] || die "$release/SHA256SUMS names no archive of Patchcord"
    echo "$release/$archive"
    [ -z "$dry_run" ] || return 0
    get "$archive" "$work"
    grep -qxF "$(sha256 "$work/$archive")  $archive" "$work/SHA256SUMS" ||
        die "$archive is not what SHA256SUMS says: it was changed, or cut short; nothing was installed"
    tar -xzf "$work/$archive" -C "$work"
    here=$work/${archive%.tar.gz}
    install_here
}

# From a checkout or an unpacked archive.
install_here() {
    if [ -f "$here/Makefile" ]; then
        cd "$here"
        install_deps build
        run make all
        put_programs "$here/build" "$here/packaging"
    else
        put_programs "$here" "$here"
    fi
}

set_up_clients() {
    set -- install
    [ -z "$full" ] || set -- "$@" --full
    run "$prefix/bin/patchcord" "$@" || die "what \`patchcord install\` could not do is said above; the programs are installed"
}

say_path() {
    case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) echo "Installed into $prefix/bin, which is not in your PATH yet: export PATH=\"$prefix/bin:\$PATH\"" ;;
    esac
}

install_all() {
    if [ -n "$here" ] && { [ -f "$here/Makefile" ] || [ -x "$here/patchcord-relay" ]; }; then
        install_here
    elif [ -n "$release" ]; then
        install_release
    else
        die "here is neither a checkout nor an unpacked release: say --release URL"
    fi
    [ -n "$programs_only" ] || set_up_clients
    [ -n "$dry_run" ] || say_path
}

# noted_bridge NOTES: the first patchcord among them that still is one.
noted_bridge() {
    echo "$1" | sed -n 's#^[0-9a-f]* \(/.*/bin/patchcord\)$#\1#p' | while read -r path; do
        if is_ours "$path" || is_our_program "$path"; then
            echo "$path"
            break
        fi
    done
}

uninstall_all() {
    [ -f "$notes" ] || die "nothing of ours is noted in $notes${purge:+; tokens and waiting messages of an earlier one, if there was one, are in \
${XDG_CONFIG_HOME:-$home/.config}/patchcord and ${XDG_STATE_HOME:-$home/.local/state}/patchcord}"
    set -- uninstall
    [ -z "$purge" ] || set -- "$@" --purge
    programs=$(cat "$notes") # --purge removes it
    bridge=$(noted_bridge "$programs")
    if [ -n "$bridge" ]; then
        run "$bridge" "$@" || die "\`patchcord uninstall\` failed; the programs stay"
    else
        echo "patchcord is not where it was put, or another program by now: what \`patchcord install\` did stays"
    fi
    # Folders come last, the inner ones first, and stay where somebody else has put something there.
    echo "$programs" | LC_ALL=C sort -k 1,1 -k 2r | while read -r sum path; do
        if [ ! -e "$path" ]; then
            continue
        elif [ "$sum" = folder ]; then
            run rmdir "$path" 2>/dev/null || true
        elif [ "$(sha256 "$path")" = "$sum" ]; then
            run rm -f "$path"
        else
            echo "$path was changed since, and stays"
        fi
    done
    [ ! -e "$notes" ] || run rm -f "$notes"
    [ -n "$dry_run" ] || rmdir "$(dirname "$notes")" 2>/dev/null || true
}

# ---- the command line ----

while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -ge 2 ] || misuse "--prefix needs a folder"
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#*=} ;;
    --release)
        [ $# -ge 2 ] || misuse "--release needs a folder"
        release=${2%/}
        shift
        ;;
    --full) full=yes ;;
    --programs) programs_only=yes ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    --deps)
        deps=build
        case ${2:-} in build | test | static | bench) deps=$2 && shift ;; esac
        ;;
    --dry-run) dry_run=yes ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) misuse "unknown argument: $1" ;;
    esac
    shift
done
case $prefix in
/*) ;;
'') misuse "--prefix needs a folder" ;;
*) prefix=$from/$prefix ;; # as the caller's shell means it
esac

case $release in
'' | /* | *://*) ;;
*) release=$from/$release ;;
esac
[ -z "$purge" ] || [ -n "$uninstall" ] || misuse "--purge goes with --uninstall"

case $deps in
'')
    if [ -n "$uninstall" ]; then
        uninstall_all
    else
        install_all
    fi
    ;;
build) install_deps build ;;
*)
    install_deps build
    install_deps "$deps"
    ;;
esac
