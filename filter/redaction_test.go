package filter

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
)

// secretDice makes records with secrets in them. Each secret is or holds a random text that nothing else has.
type secretDice struct {
	*rand.Rand
	secrets []string
}

// secret returns a new secret of letters and digits.
func (d *secretDice) secret() string {
	const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	text := make([]byte, 14)
	for i := range text {
		text[i] = letters[d.IntN(len(letters))]
	}
	d.secrets = append(d.secrets, string(text))
	return string(text)
}

// odd returns a text around a new secret: spaces, quotes and what attacks are made of. A client cannot be kept from writing it.
func (d *secretDice) odd() string {
	s := d.secret()
	return []string{s, "a " + s, `"` + s, s + "'; DROP TABLE users --", "../../etc/passwd?" + s, "<script>alert('" + s + "')</script>", "ä" + s + "%"}[d.IntN(7)]
}

// card returns the number of a payment card that does not exist, and its groups of four.
func (d *secretDice) card() (number, groups string) {
	digits := make([]byte, 16)
	digits[0] = '4'
	for i := 1; i < 15; i++ {
		digits[i] = byte('0' + d.IntN(10))
	}
	sum := 0
	for i := range 15 {
		n := int(digits[i] - '0')
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	digits[15] = byte('0' + (10-sum%10)%10)
	number = string(digits)
	groups = number[:4] + " " + number[4:8] + " " + number[8:12] + " " + number[12:]
	d.secrets = append(d.secrets, number, groups)
	return number, groups
}

func (d *secretDice) name() string {
	return []string{"password", "user[passwd]", "apiKey", "access_token", "client-secret", "pin", "pass%77ord", "X.Auth.Token", "newPwd"}[d.IntN(9)]
}

// record returns one attack of which the request, the response, or both have secrets in many places.
func (d *secretDice) record() (fields []string) {
	query := "t=../../etc/passwd&" + d.name() + "=" + url.QueryEscape(d.odd())
	number, groups := d.card()
	body, kind := d.body(groups)
	token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + d.secret() + "." + d.secret()
	repeated := d.secret()
	cookies := "sid=" + d.odd() + "; theme=" + repeated
	referer := "https://bob:" + d.secret() + "@shop.example/?token=" + d.secret()
	head := "POST /login/" + token + "?" + query + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8 " + repeated +
		"\r\nAuthorization: " + d.credentials() + "\r\nCookie: " + cookies + "\r\nX-Api-Key: " + d.odd() + "\r\nX-Note: card " + number +
		"\r\nReferer: " + referer + "\r\nContent-Type: " + kind + "\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n"
	reply := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: sid=" + d.secret() + "; Path=/; HttpOnly\r\n\r\n"
	page := "<p>You are " + repeated + `</p><input type="hidden" name="csrf_token" value="` + d.secret() + `"><script>var x = {"access_token":"` +
		d.secret() + `"}</script> root:x:0:0:root:/root:/bin/bash`
	return []string{
		"L7_PROTOCOL", "http", "SRC_IP", "192.0.2.7", "SRC_PORT", "4000", "DST_IP", "192.0.2.80", "DST_PORT", "80", "METHOD", "POST",
		"URL", "/login/" + token + "?" + query, "DOMAIN", "shop.example", "COOKIE", cookies, "REFERER", referer, "REQ_HEADER", head,
		"REQ_BODY", body, "RSP_HEADER", reply, "RSP_BODY", page, "RETCODE", "200", "host", "probe", "message", "label " + number,
		"request_Authorization", d.credentials(), "http_set_cookie", "a=" + d.secret(), "payload", base64.StdEncoding.EncodeToString([]byte(body)),
	}
}

func (d *secretDice) credentials() string {
	switch d.IntN(3) {
	case 0:
		return "Bearer " + d.secret()
	case 1:
		password := d.secret()
		pair := base64.StdEncoding.EncodeToString([]byte("bob:" + password))
		d.secrets = append(d.secrets, pair)
		return "Basic " + pair
	default:
		return `Digest username="bob", response="` + d.secret() + `"`
	}
}

// body returns a body with a secret in it, and its type.
func (d *secretDice) body(card string) (body, kind string) {
	attack := "x' UNION SELECT passwd FROM users--"
	switch d.IntN(5) {
	case 0:
		return d.name() + "=" + url.QueryEscape(d.odd()) + "&q=" + url.QueryEscape(attack) + "&card=" + url.QueryEscape(card), "application/x-www-form-urlencoded"
	case 1:
		return fmt.Sprintf(`{"q":%q,"password":%q,"nested":{"tokens":[%q,%q]},"c":%q}`, attack, d.odd(), d.secret(), d.secret(), card), "application/json"
	case 2:
		return "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n" + d.odd() + "\r\n--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n" +
			attack + " " + card + "\r\n--b--\r\n", "multipart/form-data; boundary=b"
	case 3:
		return "<a><Password Type=\"x\">" + d.secret() + "</Password><q>" + attack + "</q><c>" + card + "</c></a>", "text/xml"
	default: // a type that says nothing, and a body that is cut inside of the secret
		return `{"q":"` + attack + `","card":"` + card + `","password":"` + d.secret(), "text/plain"
	}
}

// corpusOfSecrets returns a chunk of records, and all secrets in it.
func corpusOfSecrets(records int) (chunk []byte, secrets []string) {
	d := &secretDice{Rand: rand.New(rand.NewPCG(3, 14))}
	for range records {
		chunk = append(chunk, pairs(d.record()...)...)
	}
	return chunk, d.secrets
}

// requireNoSecret fails when a text has a secret in it, as it is, escaped, or with its letters in another case.
func requireNoSecret(t *testing.T, what string, text []byte, secrets []string) {
	t.Helper()
	low := bytes.ToLower(text)
	for _, s := range secrets {
		if at := bytes.Index(low, []byte(strings.ToLower(s))); at >= 0 {
			require.Failf(t, "a secret leaks", "%s: %s in …%s…", what, s, text[max(0, at-200):min(len(text), at+60)])
		}
	}
}

func TestTheCorpusOfSecretsWouldLeakWithoutRedaction(t *testing.T) {
	chunk, secrets := corpusOfSecrets(20)
	all := strings.Join(emitted(t, setting.Map{"emit_tag": "alert", "emit_format": "record", "redact": "off", "inspect_budget": "off"}, chunk), "\n")
	leaked := 0
	for _, s := range secrets {
		if strings.Contains(all, s) {
			leaked++
		}
	}
	require.Greater(t, leaked, len(secrets)*8/10)
}

func TestNoSecretLeavesInAnyFormat(t *testing.T) {
	records := testsize.Of(20, 60)
	chunk, secrets := corpusOfSecrets(records)
	for _, format := range alert.Formats() {
		t.Run(format, func(t *testing.T) {
			var log logLines
			f, err := New(testHost, setting.Map{
				"emit_tag": "alert.$TAG", "emit_format": format, "inspect_budget": "off", "metrics_listen": "127.0.0.1:0",
			}, log.add)
			require.NoError(t, err)
			defer f.Close()
			out := process(f, chunk, "nano")
			require.Len(t, out.Emits, records)
			for i := range out.Emits {
				text := out.Emits[i].Message().JSON
				requireNoSecret(t, "event", out.Emits[i].Event, secrets)
				requireNoSecret(t, "text", text, secrets)
				requireValid(t, alert.Format(format), string(text))
				require.Contains(t, string(text), "edacted", "it is told what was taken out")
				require.Contains(t, string(text), "etc/passwd", "what is no secret is there")
			}
			requireEnriched(t, chunk, out.Data, secrets)
			requireNoSecret(t, "log", []byte(log.text()+f.Counts().String()), secrets)
			requireNoSecret(t, "metrics", metricsPage(t, f), secrets)
		})
	}
}

// metricsPage returns the page of metrics as Prometheus gets it.
func metricsPage(t *testing.T, f *Filter) []byte {
	t.Helper()
	page := loopback.Get(t, "http://"+f.meter.Address()+"/metrics")
	require.Contains(t, page, "waf_alerts_total")
	return []byte(page)
}

// requireEnriched checks that records are as they came but for the map of their alert, and that there is no secret in that.
func requireEnriched(t *testing.T, before, after []byte, secrets []string) {
	t.Helper()
	for len(before) > 0 {
		was, rest, err := record.Next(before)
		require.NoError(t, err)
		is, left, err := record.Next(after)
		require.NoError(t, err)
		require.Equal(t, was.Body, record.AppendMapWith(nil, is.Body, "waf", nil))
		require.Equal(t, was.Head, is.Head)
		pairs, _ := record.ReadMap(is.Body)
		for pairs.Next() {
			if pairs.Key == "waf" {
				requireNoSecret(t, "waf", pairs.Value, secrets)
			}
		}
		before, after = rest, left
	}
}

// logLines collects what is logged.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) add(_ Level, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// lake is a receiver of anything over TCP or UDP. It acknowledges what comes with the forward protocol.
type lake struct{ syncbuffer.Buffer }

func (l *lake) now() []byte { return []byte(l.String()) }

func (l *lake) datagrams(t *testing.T) string {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { socket.Close() })
	go func() {
		buffer := make([]byte, 65536)
		for {
			n, _, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			l.Write(append(buffer[:n], '\n')) //nolint:errcheck // it cannot fail
		}
	}()
	return socket.LocalAddr().String()
}

func (l *lake) stream(t *testing.T, serve func(net.Conn)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go loopback.Accept(listener, serve)
	return listener.Addr().String()
}

func (l *lake) drink(conn net.Conn) { io.Copy(l, conn) } //nolint:errcheck // it ends with the connection

func (l *lake) acknowledge(conn net.Conn) {
	reader := msgp.NewReader(io.TeeReader(conn, l))
	for {
		message, err := reader.ReadIntf()
		if err != nil {
			return
		}
		options := message.([]any)[2].(map[string]any)
		reply := msgp.AppendMapHeader(nil, 1)
		reply = msgp.AppendString(msgp.AppendString(reply, "ack"), options["chunk"].(string))
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}

func TestNoSecretLeavesByAnySink(t *testing.T) {
	const records = 15
	chunk, secrets := corpusOfSecrets(records)
	for _, format := range alert.Formats() {
		t.Run(format, func(t *testing.T) {
			var received lake
			var log logLines
			file := t.TempDir() + "/alerts"
			destinations := []string{
				"stdout", "file://" + file, "syslog+udp://" + received.datagrams(t) + "?max=65507", "syslog+tcp://" + received.stream(t, received.drink),
				"gelf+udp://" + received.datagrams(t) + "?chunk=8K&compress=none", "gelf+tcp://" + received.stream(t, received.drink),
				"json+udp://" + received.datagrams(t), "json+tcp://" + received.stream(t, received.drink),
				"forward://" + received.stream(t, received.acknowledge) + "?tag=x",
			}
			o, err := NewOutput("", testHost, setting.Map{"alert_to": strings.Join(destinations, ","), "emit_format": format}, log.add, &received)
			require.NoError(t, err)
			require.NoError(t, o.Flush(context.Background(), chunk, "nano"))
			for _, s := range o.delivery.Stats() {
				require.EqualValues(t, records, s.Delivered, s.Destination)
			}
			require.NoError(t, o.Close())
			written, err := os.ReadFile(file)
			require.NoError(t, err)
			marks := func() int { return bytes.Count(received.now(), []byte("probe")) }
			require.Eventually(t, func() bool { return marks() >= 8*records }, 10*time.Second, 10*time.Millisecond)
			requireNoSecret(t, "file", written, secrets)
			requireNoSecret(t, "sinks", received.now(), secrets)
			requireNoSecret(t, "log", []byte(log.text()), secrets)
		})
	}
}

func TestWhatElseIsSecretCanBeTold(t *testing.T) {
	settings := setting.Map{"emit_tag": "alert", "redact_names": "t", "redact_pattern": `server: (\w+)`}
	text := emitted(t, settings, sample(t))[0]
	require.NotContains(t, text, "etc/passwd")
	require.NotContains(t, text, "ZhongKui")
	require.Contains(t, text, `"url":"/?t=[redacted]"`)
	require.Contains(t, text, `"redacted":"argument,own"`)

	_, err := New(testHost, setting.Map{"redact_pattern": "(", "redact": "perhaps"}, discard)
	require.ErrorContains(t, err, "property redact_pattern: malformed expression")
	require.ErrorContains(t, err, "property redact: malformed switch")
}
