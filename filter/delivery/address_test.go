package delivery

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWrongDestinationsAreRefusedWithWhatIsAllowed(t *testing.T) {
	const all = "syslog+udp://HOST[:514], syslog+tcp://HOST[:514], syslog+tls://HOST[:6514], gelf+udp://HOST[:12201], " +
		"gelf+tcp://HOST[:12201], gelf+tls://HOST[:12201], json+udp://HOST[:12202], json+tcp://HOST[:12202], json+tls://HOST[:12202], " +
		"forward://HOST[:24224], forward+tls://HOST[:24224], forward+unix:///PATH, file:///PATH or stdout"
	const syslogNames = "facility, severity, app-name, hostname, procid, msgid, max or timeout"
	for in, want := range map[string]string{
		"":                             "no destination (want " + all + ")",
		",":                            "no destination (want " + all + ")",
		"siem:514":                     `destination "siem:514": unknown scheme "siem" (want ` + all + ")",
		"syslog://siem":                `destination "syslog://siem": unknown scheme "syslog" (want ` + all + ")",
		"syslog+udp://":                `destination "syslog+udp://": malformed: the host is missing (want syslog+udp://HOST[:514])`,
		"syslog+udp:siem":              `destination "syslog+udp:siem": malformed: the host is missing (want syslog+udp://HOST[:514])`,
		"syslog+udp://h/path":          `destination "syslog+udp://h/path": malformed: unexpected path "/path" (want syslog+udp://HOST[:514])`,
		"syslog+udp://h:0":             `destination "syslog+udp://h:0": port "0" is not between 1 and 65535 (want syslog+udp://HOST[:514])`,
		"syslog+udp://h:65536":         `destination "syslog+udp://h:65536": port "65536" is not between 1 and 65535 (want syslog+udp://HOST[:514])`,
		"syslog+udp://h:x":             `destination "syslog+udp://h:x": malformed: invalid port ":x" after host (want syslog+udp://HOST[:514])`,
		"syslog+tcp://u:pw@h":          `destination "syslog+tcp://***@h": malformed: a user name or # is not supported (want syslog+tcp://HOST[:514])`,
		"syslog+tcp://h#top":           `destination "syslog+tcp://h#top": malformed: a user name or # is not supported (want syslog+tcp://HOST[:514])`,
		"syslog+tcp://h?colors":        `destination "syslog+tcp://h": option "colors": unknown (want ` + syslogNames + ")",
		"syslog+tcp://h?max":           `destination "syslog+tcp://h": option max: empty (remove it, or set a value)`,
		"syslog+tcp://h?max=2K&max=3K": `destination "syslog+tcp://h": option max: given twice (want one value)`,
		"syslog+tcp://h?max=%zz":       `destination "syslog+tcp://h": option max: invalid URL escape "%zz"`,
		"syslog+tcp://h?max=much": `destination "syslog+tcp://h": option max: malformed size "much" ` +
			`(want a number of bytes, or one with K, M or G)`,
		"syslog+udp://h?max=64K":       `destination "syslog+udp://h": option max: 64K is out of range (1024 to 65507 bytes)`,
		"syslog+tcp://h?max=1000":      `destination "syslog+tcp://h": option max: 1000 is out of range (1024 to 16777216 bytes)`,
		"syslog+tcp://h?severity=loud": `destination "syslog+tcp://h": option severity: unknown value "loud" (want emerg, alert, crit, err, warning, notice, info or debug, or 0 to 7)`,
		"syslog+tcp://h?severity=8":    `destination "syslog+tcp://h": option severity: unknown value "8" (want emerg, alert, crit, err, warning, notice, info or debug, or 0 to 7)`,
		"syslog+tcp://h?facility=24": `destination "syslog+tcp://h": option facility: unknown value "24" (want kern, user, mail, daemon, auth, syslog, lpr, ` +
			`news, uucp, cron, authpriv, ftp, ntp, audit, console, cron2, local0, local1, local2, local3, local4, local5, local6 or local7, or 0 to 23)`,
		"syslog+tcp://h?app-name=a%20b": `destination "syslog+tcp://h": option app-name: malformed value "a b" ` +
			`(want at most 48 printable ASCII characters without spaces)`,
		"syslog+tcp://h?msgid=" + strings.Repeat("x", 33): `destination "syslog+tcp://h": option msgid: malformed value "` +
			strings.Repeat("x", 33) + `" (want at most 32 printable ASCII characters without spaces)`,
		"syslog+tcp://h?hostname=a%0ab":       `destination "syslog+tcp://h": option hostname: malformed value (want text without control characters)`,
		"syslog+tcp://h?timeout=5":            `destination "syslog+tcp://h": option timeout: malformed time "5" (want 10ms to 10m)`,
		"syslog+tcp://h?timeout=1h":           `destination "syslog+tcp://h": option timeout: 1h is out of range (10ms to 10m)`,
		"syslog+tls://h?insecure=maybe":       `destination "syslog+tls://h": option insecure: malformed switch "maybe" (want on or off)`,
		"syslog+tls://h?ca=/none":             `destination "syslog+tls://h": option ca: open /none: no such file or directory`,
		"syslog+tls://h?ca=/dev/null":         `destination "syslog+tls://h": option ca: /dev/null: no certificate (want PEM)`,
		"syslog+tls://h?cert=/none":           `destination "syslog+tls://h": option key: missing (want the key file of cert)`,
		"syslog+tls://h?key=/none":            `destination "syslog+tls://h": option cert: missing (want the certificate file of key)`,
		"syslog+tls://h?key=/none&cert=/none": `destination "syslog+tls://h": option cert: open /none: no such file or directory`,
		"gelf+udp://h?compress=zip":           `destination "gelf+udp://h": option compress: unknown value "zip" (want gzip, zlib or none)`,
		"gelf+udp://h?chunk=9000":             `destination "gelf+udp://h": option chunk: 9000 is out of range (512 to 8192 bytes)`,
		"gelf+udp://h?chunk=1K&max=1M":        `destination "gelf+udp://h": option max: 1M is out of range (4096 to 129536 bytes)`,
		"gelf+tcp://h?max=1K":                 `destination "gelf+tcp://h": option max: 1K is out of range (4096 to 16777216 bytes)`,
		"forward://h":                         `destination "forward://h": option tag: missing (want a tag for alerts, such as waf.alert)`,
		"forward+unix://a/b?tag=t":            `destination "forward+unix://a/b": malformed: the path must start with a third slash, unlike "a" (want forward+unix:///PATH)`,
		"file:///":                            `destination "file:///": malformed: the path is missing (want file:///PATH)`,
		"file://":                             `destination "file://": malformed: the path is missing (want file:///PATH)`,
		"file:///tmp":                         `destination "file:///tmp": malformed: /tmp is a directory (want file:///PATH)`,
		"forward+unix:///tmp?tag=t":           `destination "forward+unix:///tmp": malformed: /tmp is a directory (want forward+unix:///PATH)`,
		"file:///a/%0a":                       `destination "file:///a/%0a": malformed: control characters in the path (want file:///PATH)`,
		"file:///a?mode=999":                  `destination "file:///a": option mode: malformed permissions "999" (want 0000 to 0777)`,
		"stdout://":                           `destination "stdout://": malformed: only options may follow the name (want stdout)`,
		"stdout?max=3":                        `destination "stdout": option "max": unknown (want timeout)`,
	} {
		_, err := Open(in, Options{})
		assert.EqualError(t, err, want, in)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := Open("syslog+udp://h:99999?max=3&severity=9, stdout, forward://h,nowhere", Options{})
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 5)
	for i, part := range []string{"is not between 1 and 65535", "option max", "option severity", "option tag", "unknown scheme"} {
		assert.Contains(t, lines[i], part)
	}
}

func TestProblemsDoNotTellKeys(t *testing.T) {
	_, err := Open("forward://h:x?tag=&shared-key=hunter2, syslog+tcp://user:hunter2@h:x, forward+tls://h?shared_key=hunter2&ca=/none", Options{})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestPortsHaveDefaults(t *testing.T) {
	for in, want := range map[string]string{
		"syslog+udp://h": "h:514", "syslog+tcp://h/": "h:514", "syslog+tls://h": "h:6514", "gelf+udp://h": "h:12201",
		"forward://h": "h:24224", "SYSLOG+UDP://[::1]": "[::1]:514", "syslog+udp://[fe80::1%25eth0]:99": "[fe80::1%eth0]:99",
	} {
		scheme, _, _ := strings.Cut(in, ":")
		a := &address{scheme: schemeNamed(strings.ToLower(scheme))}
		require.NoError(t, a.locate(in), in)
		assert.Equal(t, want, a.host)
	}
}

func TestOptionsAreReadAsWritten(t *testing.T) {
	a := &address{scheme: schemeNamed("forward"), opt: &Options{Hostname: "collector"}, counters: &counters{}}
	a.Reader = ReadOptions("tag=a.b&SHARED_KEY=x+y/z%3D%26%2C&timeout=250ms", a.scheme.Options)
	require.Empty(t, a.Problems())
	k := newForward(a, 0, nil).(*forwardSink)
	assert.Equal(t, "a.b", k.tag)
	assert.Equal(t, "x+y/z=&,", k.auth.sharedKey)
	assert.Equal(t, "collector", k.auth.hostname)
	assert.Equal(t, 1<<20, k.limit)
}

func TestHelpNamesEverything(t *testing.T) {
	help := Help()
	for _, s := range Schemes() {
		assert.Contains(t, help, s.Form)
		assert.Contains(t, help, s.Help)
		for _, p := range s.Options {
			assert.Regexp(t, `(?m)^    `+p.Name+`[= ].*`, help)
		}
	}
	for line := range strings.Lines(help) {
		assert.LessOrEqual(t, len(line), 101, line)
		assert.Equal(t, strings.TrimRight(line, " \n")+"\n", line)
	}
}

func TestSchemesCannotBeChangedFromOutside(t *testing.T) {
	Schemes()[0].Name = "other"
	assert.Equal(t, "syslog+udp", Schemes()[0].Name)
}

func FuzzOpen(f *testing.F) {
	f.Add("syslog+udp://h:514?facility=local0&max=2K, stdout, file:///a/b?mode=0600")
	f.Add("gelf+udp://[::1]?chunk=1k&compress=none,forward+unix:///s?tag=$TAG&shared_key=%00")
	f.Add("syslog+tls://u@h?%=,&&=;#")
	f.Fuzz(func(t *testing.T, list string) {
		if strings.Contains(strings.ToLower(list), "ca=") || strings.Contains(strings.ToLower(list), "cert=") {
			return // these read files
		}
		d, err := Open(list, Options{Hostname: "h"})
		if (d == nil) == (err == nil) {
			t.Fatalf("%v, %v", d, err)
		}
		if err != nil {
			return
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
