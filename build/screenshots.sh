#!/bin/sh
# Makes the pictures in docs/images from what wafctl prints for generated records. Debian has the programs it needs: chromium, jq,
# aha and pngquant.
set -eu
cd "$(dirname "$0")/.."
wafctl=$PWD/${1:?usage: build/screenshots.sh WAFCTL}
images=$PWD/docs/images
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# picture NAME PAGE WIDTH HEIGHT dark|light: what a browser shows of a page.
picture() {
	scheme=1
	[ "$5" = light ] || scheme=0
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/browser" --window-size="$3,$4" \
		--blink-settings="preferredColorScheme=$scheme" --screenshot="$work/$1.png" "file://$work/$2" 2>/dev/null
	pngquant --force --speed 1 --strip --output "$images/$1.png" 64 "$work/$1.png"
}

go run ./internal/corpus/generate -records 20000 -attacks 10 >"$work/records.ndjson"
(cd "$work" && "$wafctl" report --preset api -o report.html records.ndjson)
picture report-light report.html 960 1330 light
picture report-dark report.html 960 1330 dark

shown='{message, rule: .rule.id,
    category: .rule.category, source: .source.ip, destination: .destination.ip, host: .url.domain,
    url: .url.original, status: .http.response.status_code, outcome: .waf.outcome, reason: .waf.reason,
    score: .waf.score, techniques: .threat.technique.id | join(" "),
    matched: [.waf.rules[] | .id + " " + .msg]}'
grep -m1 'root:x:0:0' "$work/records.ndjson" >"$work/attack.ndjson"
{
	cat <<-'PAGE'
		<!DOCTYPE html><meta charset="utf-8"><style>
		body { margin: 0; padding: 16px 20px; background: #151a22; color: #d5dbe5; font: 14px/1.4 monospace; white-space: pre-wrap; }
		.blue { color: #82aaff; } .green { color: #c3e88d; } .prompt { color: #8892a3; }
	PAGE
	printf '</style><body><span class="prompt">$ wafctl run --listen - --emit-format ecs &lt; attack.ndjson | jq '"'"'%s'"'"'</span>\n' "$shown"
	"$wafctl" run --listen - --emit-format ecs <"$work/attack.ndjson" 2>/dev/null | jq -C "$shown" | aha --no-header --stylesheet
} >"$work/alert.html"
picture alert alert.html 960 540 dark
