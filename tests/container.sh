#!/bin/sh
# Runs the Dockerfile's own stages in chroots, where no container engine is at hand, and serves from the result as its user
# with a read-only root. Needs root and debootstrap. Understands the instructions that our Dockerfile uses, each on its
# logical line, and refuses others.
set -eu
cd "$(dirname "$0")/.."

work=$PWD/build-container
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
checks=0

fail() {
    echo "FAILED: $*"
    echo "0%: Checks: $((checks + 1)), Failures: 1, Errors: 0"
    exit 1
}
pass() {
    checks=$((checks + 1))
    echo "ok: $*"
}

[ "$(id -u)" = 0 ] || fail "this needs root"
command -v debootstrap >/dev/null || fail "debootstrap is needed: apt-get install debootstrap"

# In a mount namespace of its own, so that nothing stays mounted whatever happens.
if [ -z "${PATCHCORD_UNSHARED:-}" ]; then
    PATCHCORD_UNSHARED=1 exec unshare --mount --pid --fork "$0" "$@"
fi
mount --make-rprivate /

# ---- the image's state while its Dockerfile is read ----
stage='' root='' workdir=/ user=root environment='' entrypoint='' command='' health=''

# A stage's root begins as a copy of a bare Debian, made once.
stage_from() {
    image=$1
    [ "$image" = debian:12-slim ] || fail "FROM $image is not known here"
    stage=${2:-final}
    root=$work/$stage
    workdir=/ user=root environment=''
    if [ ! -e "$work/base.done" ]; then
        rm -rf "$work/base"
        debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
            fail "debootstrap: $(tail -n 3 "$work/debootstrap.log")"
        touch "$work/base.done"
    fi
    rm -rf "$root"
    cp -a "$work/base" "$root"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
}

# Runs words in the stage's root with its user, folder and environment.
inside() {
    # shellcheck disable=SC2086,SC2016 # one variable a word; the inner shell expands
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive \
        $environment chroot --userspec="$user" "$root" sh -c 'cd "$1" && shift && exec "$@"' sh "$workdir" "$@"
}

copy() {
    case $1 in
    --from=*)
        mkdir -p "$root$3"
        cp -a "$work/${1#*=}$2." "$root$3"
        ;;
    .) git ls-files -z | xargs -0 cp --parents -t "$root$workdir" ;;
    *) cp -r "$1" "$root$workdir/" ;;
    esac
}

# ["a", "b"] as words
words() {
    echo "$1" | tr -d '[]",'
}

instruction() {
    name=$1 rest=$2
    # shellcheck disable=SC2086 # an instruction's words
    set -- $rest
    case $name in
    FROM) stage_from "$1" "${3:-}" ;;
    RUN) inside sh -c "$rest" >"$work/$stage.log" 2>&1 || fail "RUN $rest: $(tail -n 20 "$work/$stage.log")" ;;
    WORKDIR)
        workdir=$1
        mkdir -p "$root$workdir"
        ;;
    COPY) copy "$@" ;;
    ENV) environment="$environment $rest" ;;
    USER) user=$1 ;;
    VOLUME) volume=$1 ;;
    EXPOSE) port=$1 ;;
    HEALTHCHECK) health=$(words "${rest#*CMD }") ;;
    ENTRYPOINT) entrypoint=$(words "$rest") ;;
    CMD) command=$(words "$rest") ;;
    *) fail "the instruction $name is not known here" ;;
    esac
    pass "$name $(echo "$rest" | cut -c 1-90)"
}

mkdir -p "$work"
sed -e '/^#/d' -e '/^$/d' Dockerfile | sed -e ':join' -e '/\\$/{N;s/\\\n */ /;bjoin' -e '}' >"$work/instructions"
while read -r name rest <&3; do
    instruction "$name" "$rest"
done 3<"$work/instructions"

# ---- the result serves: another user, a read-only root, one writable volume ----
data=$(mktemp -d)
cp -a "$root$volume/." "$data"
chown --reference="$root$volume" "$data"
chmod --reference="$root$volume" "$data"
mount --bind "$root" "$root"
mount --bind "$data" "$root$volume"
mount -o remount,bind,ro "$root"
# No network of its own here: another port than the image's, which somebody may have, and loopback only.
[ "$port" = 8000 ] || fail "EXPOSE is not the default of PATCHCORD_PORT"
port=$(shuf -i 20000-30000 -n 1)
environment="$environment PATCHCORD_PORT=$port PATCHCORD_HOST=127.0.0.1"

[ "$user" != root ] || fail "the image runs as root"
if inside touch /written 2>/dev/null; then fail "the root can be written to"; fi
pass "the root is read-only for $user"

# shellcheck disable=SC2086 # words of the Dockerfile
inside $entrypoint $command >"$work/relay.log" 2>&1 &
relay=$!
tries=0
# shellcheck disable=SC2086
until inside $health >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "the relay does not get healthy: $(cat "$work/relay.log")"
    sleep 0.1
done
pass "healthy after start"
# shellcheck disable=SC2086
token=$(inside $entrypoint token add --namespace shop frontend) || fail "token add: $token"
# shellcheck disable=SC2086
inside env PATCHCORD_URL="http://127.0.0.1:$port" PATCHCORD_TOKEN="$token" HOME=/tmp patchcord inbox | grep -q frontend@shop ||
    fail "patchcord inbox does not say frontend@shop"
pass "a token works"
kill -TERM "$(sed -n 's/.*event=listening .*pid=//p' "$work/relay.log")"
wait "$relay" || fail "the relay's exit code is $?: $(tail -n 5 "$work/relay.log")"
pass "ends with exit code 0"
umount "$root$volume"
rm -rf "$data"
echo "100%: Checks: $checks, Failures: 0, Errors: 0"
