#!/bin/sh
# Runs the steps of build/Dockerfile without Docker, so that they cannot rot: build/docker/check.sh
#
# What Docker would build is built by the same script, every path that COPY takes is looked for, and what the image of wafctl would
# start is started. Where Docker has its engine, that image is built and run. build/tools/images lints the file.
set -eu

fail() {
    echo "docker: $*" >&2
    exit 1
}

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
file=build/Dockerfile
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The build context: files that .dockerignore does not exclude.
context=$work/src
mkdir "$context"
{ cat .dockerignore && echo build/work; } | sed 's#^#./#' >"$work/ignored"
tar --exclude-from="$work/ignored" -cf - . | tar -C "$context" -xf -

stage=$work/stage
(cd "$context" && VERSION=0.0.0-check build/stage.sh "$stage" "$(go env GOHOSTARCH)")

sed -n 's/^COPY --from=build \/stage\([^ ]*\) .*/\1/p' $file | while read -r path; do
    [ -e "$stage$path" ] || fail "COPY takes $path, which the build does not make"
done
sed -n 's/^COPY \([^-][^ ]*\) [^ ]*$/\1/p' $file | while read -r path; do
    [ -e "$context/$path" ] || fail "COPY takes $path, which the context does not have"
done

"$stage/usr/bin/wafctl" version | grep -q '^wafctl 0.0.0-check$' || fail "wafctl does not know its version"
"$stage/usr/bin/wafctl" proxy --environment on --listen nowhere 2>&1 | grep -q -- '--listen: ' || fail "wafctl does not start as a proxy"
want=$(sed -n 's/^go //p' go.mod)
has=$(sed -n 's/^ARG GO_VERSION=//p' $file)
[ "$(printf '%s\n%s\n' "$want" "$has" | sort -V | head -1)" = "$want" ] || fail "go.mod wants Go $want, the image builds with $has"

if docker info >/dev/null 2>&1; then
    docker build --file $file --target wafctl --tag wafctl:check .
    docker run --rm --read-only --cap-drop ALL wafctl:check version
else
    echo "docker: no engine: the images themselves were not built"
fi
echo "docker: the steps of $file work"
