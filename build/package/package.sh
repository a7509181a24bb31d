#!/bin/sh
# Makes what a release has: build/package/package.sh DIRECTORY [ARCHITECTURE...]
#
# For each architecture (default: this machine's) packages for Debian and Red Hat systems and a tarball of the same files, with a list of what is inside
# (CycloneDX); the chart; and checksums of all of them. VERSION is the version, v1.2.3 or 1.2.3; without it one is made of the commit.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
cd "$root"
[ $# -gt 0 ] || set -- "$(go env GOHOSTARCH)"

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
VERSION=${VERSION:-$(git describe --tags --exact-match --match 'v*' 2>/dev/null || echo "0.0.0-dev+$commit")}
VERSION=${VERSION#v}
# dpkg and rpm sort 1.0.0~rc.1 before 1.0.0; a dash would begin a revision.
PACKAGE_VERSION=$(echo "$VERSION" | tr - '~')
export VERSION PACKAGE_VERSION
# The same commit makes the same files.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nfpm=$(go -C build/tools tool -n nfpm)
helm=$(go -C build/tools tool -n helm)
go -C build/tools build -o "$work/" ./man
CGO_ENABLED=0 go build -tags "$(sed -n 's/^TAGS *:= *//p' Makefile)" -trimpath -buildvcs=false -o "$work/wafctl" ./cmd/wafctl

# The oldest glibc that has what the objects of a stage ask for.
libc() {
    readelf --dyn-syms --wide "$1"/usr/lib/fluent-bit-waf/*.so | sed -nE 's/.*@GLIBC_([0-9.]+).*/\1/p' | sort -Vu | tail -1
}

manual() {
    mkdir -p "$1/usr/share/man/man1" "$1/usr/share/bash-completion/completions"
    "$work/man" "$work/wafctl" "$VERSION" "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)" |
        gzip -9n >"$1/usr/share/man/man1/wafctl.1.gz"
    "$work/wafctl" completion bash >"$1/usr/share/bash-completion/completions/wafctl"
}

papers() {
    doc=$1/usr/share/doc/fluent-bit-waf
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: fluent-bit-waf\n\n%s\n' \
        'Files: *
Copyright: 2026 the authors of fluent-bit-waf
License: Apache-2.0
 The text is in the file LICENSE. What is built in is listed in sbom.cdx.json; the texts of its licenses
 are in the folder licenses.' >"$doc/copyright"
}

# The same files make the same archive.
archive() {
    directory=$1
    shift
    tar --directory "$directory" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$@" | gzip -9n
}

# Helm puts the current time into its archive.
chart() {
    "$helm" package build/helm/fluent-bit-waf --version "$VERSION" --app-version "$VERSION" --destination "$work" >/dev/null
    tar --directory "$work" --touch -xzf "$work/fluent-bit-waf-$VERSION.tgz"
    archive "$work" fluent-bit-waf >"$out/fluent-bit-waf-$VERSION.tgz"
}

for ARCH in "$@"; do
    STAGE=$work/$ARCH
    export ARCH STAGE
    echo "package: fluent-bit-waf $VERSION for $ARCH"
    build/stage.sh "$STAGE" "$ARCH"
    manual "$STAGE"
    papers "$STAGE"
    LIBC=$(libc "$STAGE")
    export LIBC
    find "$STAGE/usr/share" -type f -exec chmod 644 {} +
    find "$STAGE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    "$nfpm" package --config build/package/nfpm.yaml --packager deb --target "$out/fluent-bit-waf_${PACKAGE_VERSION}_$ARCH.deb"
    "$nfpm" package --config build/package/nfpm.yaml --packager rpm --target "$out/"
    archive "$STAGE" usr etc >"$out/fluent-bit-waf_${VERSION}_linux_$ARCH.tar.gz"
    cp "$STAGE/usr/share/doc/fluent-bit-waf/sbom.cdx.json" "$out/fluent-bit-waf_${VERSION}_linux_$ARCH.cdx.json"
done
chart
(cd "$out" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum) >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" "$out/"
