#!/bin/sh
# Builds all images with docker buildx, for each architecture: build/docker/images.sh REGISTRY ARCHITECTURE...
#
# VERSION is the version, v1.2.3 or 1.2.3. With PUSH=1 the images go to the registry, with a list of what is inside and where it comes from,
# as REGISTRY/NAME:VERSION and, unless it is a version before a release such as 1.2.3-rc.1, REGISTRY/NAME:latest.
set -eu

cd "$(dirname "$0")/../.."
registry=$1
shift
version=${VERSION:?names the images}
version=${version#v}
platforms=$(printf 'linux/%s,' "$@")

for image in fluent-bit-waf wafctl waf-proxy; do
    set -- --tag "$registry/$image:$version"
    case $version in
    *-*) ;;
    *) set -- "$@" --tag "$registry/$image:latest" ;;
    esac
    [ "${PUSH:-}" != 1 ] || set -- "$@" --push
    docker buildx build --file build/Dockerfile --target $image --platform "${platforms%,}" --build-arg "VERSION=$version" \
        --label "org.opencontainers.image.version=$version" --provenance mode=max --sbom true "$@" .
done
