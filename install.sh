#!/bin/sh
# install.sh: builds Patchcord and installs it; or installs what building and testing it needs. See --help.
set -eu

from=$PWD
cd "$(dirname "$0")"
prefix=${HOME:-/root}/.local
deps=
dry_run=

usage() {
    cat <<'TEXT'
usage: ./install.sh [--prefix DIR] [--dry-run]
       ./install.sh --deps [build|test|static|bench] [--dry-run]

Without --deps: builds both programs (installing first what the build needs) and puts patchcord and patchcord-relay into
DIR/bin.

  --prefix DIR   where to install (default: ~/.local)
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
    echo "+ $*" >&2
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
test  command:curl         curl                 curl                curl              curl
test  command:git          git                  git                 git               git
test  command:curl         curl                 curl                curl              curl
test  command:shellcheck   shellcheck           ShellCheck          shellcheck        shellcheck
test  command:ip           iproute2             iproute             iproute2          iproute2
test  command:npm          npm                  nodejs-npm          npm               npm
test  command:chromium     chromium             chromium            chromium          chromium
test  command:nginx        nginx-light          nginx               nginx             nginx
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

while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -ge 2 ] || misuse "--prefix needs a folder"
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#*=} ;;
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

case $deps in
'')
    install_deps build
    run make all
    run make install "PREFIX=$prefix"
    [ -n "$dry_run" ] || case ":$PATH:" in
    *":$prefix/bin:"*) echo "Installed. Try: patchcord --help" ;;
    *) echo "Installed into $prefix/bin, which is not in your PATH yet: export PATH=\"$prefix/bin:\$PATH\"" ;;
    esac
    ;;
build) install_deps build ;;
*)
    install_deps build
    install_deps "$deps"
    ;;
esac
