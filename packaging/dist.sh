#!/bin/sh
# packaging/dist.sh: puts into dist/ an archive of the source, one of the programs (`make static`) for this machine, and
# SHA256SUMS, and install.sh, which knows where the release is published where RELEASE_URL says it. The same commit gives the
# same source archive.
set -eu
cd "$(dirname "$0")/.."

version=$(cat VERSION)
source=patchcord-$version
programs=patchcord-$version-linux-$(uname -m)
rm -rf dist
mkdir dist

git diff --quiet HEAD || echo "dist: the archive holds the last commit, not what is changed since" >&2
git archive --format=tar --prefix="$source/" HEAD | gzip -9n >"dist/$source.tar.gz"

place=dist/$programs
mkdir "$place"
cp build-static/patchcord build-static/patchcord-relay install.sh packaging/manual.sh LICENSE README.md CHANGELOG.md .env.server.example "$place"
cp -r docs "$place"
strip "$place/patchcord" "$place/patchcord-relay"
tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -cf - "$programs" |
    gzip -9n >"dist/$programs.tar.gz"
rm -r "$place"

sed "s#^release=\$#release=${RELEASE_URL:-}#" install.sh >dist/install.sh
cd dist
sha256sum ./*.tar.gz | sed 's#\./##' >SHA256SUMS
cat SHA256SUMS
