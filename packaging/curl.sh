#!/bin/sh
# packaging/curl.sh DIR: builds a static libcurl that speaks HTTP and HTTPS and nothing else, into DIR, from Debian's source
# package with its security patches. Debian's own libcurl.a needs libraries that have no static form.
set -eu

[ ! -e "$1/lib/libcurl.a" ] || exit 0
command -v apt-get >/dev/null || {
    echo "make static takes libcurl's source from Debian's archive: it needs a Debian" >&2
    exit 1
}
mkdir -p "$1/lists/partial"
cd "$1"
place=$PWD

# shellcheck disable=SC1091 # the system's own
. /etc/os-release
cat >sources.list <<SOURCES
deb-src http://deb.debian.org/debian $VERSION_CODENAME main
deb-src http://deb.debian.org/debian-security $VERSION_CODENAME-security main
SOURCES
apt() {
    apt-get -q -o Dir::Etc::SourceList="$place/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$place/lists" -o APT::Sandbox::User="$(id -un)" "$@"
}
echo "  building libcurl in $place" >&2
apt update >curl.log 2>&1
rm -rf curl-*/
apt source curl >>curl.log 2>&1
cd curl-*/

without="zlib brotli zstd libpsl libidn2 nghttp2 librtmp libssh2 gssapi ca-bundle"
disable="shared ldap ldaps ftp file rtsp dict telnet tftp pop3 imap smb smtp gopher mqtt manual ntlm alt-svc hsts netrc tls-srp
    unix-sockets"
{
    # shellcheck disable=SC2046,SC2086 # one option a word
    ./configure --quiet --prefix="$place" --with-openssl --with-ca-path=/etc/ssl/certs --enable-threaded-resolver \
        $(printf -- '--without-%s ' $without) $(printf -- '--disable-%s ' $disable)
    make -s -j"$(nproc)" -C lib install
    make -s -C include install
} >>"$place/curl.log" 2>&1
