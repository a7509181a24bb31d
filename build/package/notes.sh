#!/bin/sh
# Prints the notes of a release, which are its part of CHANGELOG.md: VERSION=v1.2.3 build/package/notes.sh
#
# A version before a release, such as 1.2.3-rc.1, has the notes of 1.2.3, or the unreleased ones while there are none. The same goes for
# builds between releases. A release without notes is an error.
set -eu

cd "$(dirname "$0")/../.."
version=${VERSION:-$(git describe --tags --exact-match --match 'v*' 2>/dev/null || echo 0.0.0-dev)}
version=${version#v}

part() { awk -v title="## [$1]" 'index($0, title) == 1 { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md | sed '/./,$!d'; }

notes=$(part "${version%%-*}")
case $version in
*-*) [ -n "$notes" ] || notes=$(part Unreleased) ;;
*) [ -n "$notes" ] || { echo "notes: nothing under \"## [$version]\" in CHANGELOG.md" >&2 && exit 1; } ;;
esac
cat <<END
$notes

### Files

\`SHA256SUMS\` has the checksums of all files, and each \`.cdx.json\` lists what is inside, with licenses (CycloneDX).
\`gh attestation verify FILE --repo fluent-bit-waf/fluent-bit-waf\` shows that a file was built from this repository.
END
