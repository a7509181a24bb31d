#!/bin/sh
# Builds everything that is shipped and lays it out as it is installed: build/stage.sh DIRECTORY [amd64|arm64]
#
# The image, the packages and the tarball are made of what this script leaves in DIRECTORY, which must be empty.
# VERSION names the build.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
stage=$(cd "$1" && pwd)
[ -z "$(ls -A "$stage")" ] || { echo "stage: directory $stage is not empty" >&2 && exit 1; }
cd "$root"
host=$(go env GOHOSTARCH)
arch=${2:-$host}
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
tags=$(sed -n 's/^TAGS *:= *//p' Makefile)
flags="-s -w -X github.com/fluent-bit-waf/fluent-bit-waf/filter.Version=$version"

compiler() {
    if [ "$arch" = "$host" ]; then
        echo "${CC:-gcc}"
        return
    fi
    case $arch in
    arm64) echo aarch64-linux-gnu-gcc ;;
    amd64) echo x86_64-linux-gnu-gcc ;;
    *) echo "stage: architecture $arch: not amd64 or arm64" >&2 && exit 1 ;;
    esac
}

cc=$(compiler)
command -v "$cc" >/dev/null || { echo "stage: no compiler $cc (Debian: gcc-aarch64-linux-gnu, gcc-x86-64-linux-gnu)" >&2 && exit 1; }
lib=$stage/usr/lib/fluent-bit-waf
doc=$stage/usr/share/doc/fluent-bit-waf
mkdir -p "$lib" "$stage/usr/bin" "$stage/etc/fluent-bit-waf/logs" "$doc"

# As in the Makefile: Go's build cache does not know that the plugin includes these files.
CGO_CPPFLAGS=-DWAF_PROPERTIES=$(cat plugin/host/*.inc | cksum | cut -d' ' -f1)
export CGO_CPPFLAGS
CGO_ENABLED=1 GOOS=linux GOARCH=$arch CC=$cc go build -tags "$tags" -trimpath -buildvcs=false -ldflags "$flags" \
    -buildmode=c-shared -o "$lib/out_waf.so" ./plugin
rm "$lib/out_waf.h"
ln -s out_waf.so "$lib/flb-filter_waf.so"
"$cc" -O2 -Wall -Wextra -fPIC -fvisibility=hidden -D_GNU_SOURCE -shared -s -o "$lib/in_nano.so" plugin/nano/in_nano.c -ldl
# Without cgo wafctl runs on any Linux, on that of a musl distribution as well.
CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -tags "$tags" -trimpath -buildvcs=false -ldflags "$flags" \
    -o "$stage/usr/bin/wafctl" ./cmd/wafctl

cp conf/*.yaml conf/*.conf "$stage/etc/fluent-bit-waf/"
cp conf/logs/*.yaml "$stage/etc/fluent-bit-waf/logs/"
mkdir -p "$stage/usr/lib/systemd/system" "$stage/etc/default"
cp build/package/wafctl.service "$stage/usr/lib/systemd/system/"
cp build/package/wafctl.default "$stage/etc/default/wafctl"
mkdir -p "$stage/usr/share/fluent-bit-waf/grafana" "$stage/usr/share/fluent-bit-waf/prometheus"
cp build/grafana/*.json build/grafana/README.md "$stage/usr/share/fluent-bit-waf/grafana/"
cp build/prometheus/alerts.yaml "$stage/usr/share/fluent-bit-waf/prometheus/"
cp README.md CHANGELOG.md LICENSE "$doc/"
cp -r docs "$doc/docs"
find "$doc/docs" -name '*.go' -delete
go -C build/tools run ./sbom -licenses "$doc/licenses" -o "$doc/sbom.cdx.json" fluent-bit-waf "${version#v}" \
    "$lib/out_waf.so" "$stage/usr/bin/wafctl"
mkdir "$stage/tmp" # of the image of the proxy
find "$stage/usr" "$stage/etc" -type d -exec chmod 755 {} +
find "$stage/usr" "$stage/etc" -type f -exec chmod 644 {} +
chmod 755 "$stage/usr/bin/wafctl"
