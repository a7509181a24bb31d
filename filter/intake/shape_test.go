package intake

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// shaped decodes a text and returns the bodies of the records as JSON, and the time of the last.
func shaped(t *testing.T, d *Decoder, text string, from netip.Addr) (bodies []string, last time.Time, problem error) {
	t.Helper()
	chunk, n, problem := d.AppendSent(nil, []byte(text), Sent{From: from, At: received})
	for len(chunk) > 0 {
		e, rest, err := record.Next(chunk)
		require.NoError(t, err)
		chunk = rest
		bodies = append(bodies, asJSON(t, e.Body))
		last = time.Unix(e.Time.Seconds, e.Time.Nanoseconds)
	}
	require.Len(t, bodies, n)
	return bodies, last, problem
}

func TestSenderIsAddedBehindWhatWasSent(t *testing.T) {
	d := Decoder{Shape: Shape{AddressKey: "source_ip"}}
	for _, address := range []string{"192.0.2.7", "2001:db8::1", "fe80::1%eth0"} {
		got, _, err := shaped(t, &d, `{"a":1,"source_ip":"forged"}{}`, netip.MustParseAddr(address))
		require.NoError(t, err)
		require.Equal(t, []string{`{"a":1,"source_ip":"forged","source_ip":"` + address + `"}`, `{"source_ip":"` + address + `"}`}, got)
	}
	got, _, _ := shaped(t, &d, `{"a":1}`, netip.Addr{})
	require.Equal(t, []string{`{"a":1}`}, got, "a stream without an address")
}

func TestTimeOfAnEventIsReadFromItsRecord(t *testing.T) {
	china := time.FixedZone("", 8*3600)
	for text, want := range map[string]time.Time{
		`"2024-05-30 07:16:48.917"`:       time.Date(2024, 5, 30, 7, 16, 48, 917_000_000, china),
		`"2024-05-30 07:16:48"`:           time.Date(2024, 5, 30, 7, 16, 48, 0, china),
		`"2024-05-30T07:16:48.123456Z"`:   time.Date(2024, 5, 30, 7, 16, 48, 123_456_000, time.UTC),
		`"2024-05-30T07:16:48-02:00"`:     time.Date(2024, 5, 30, 9, 16, 48, 0, time.UTC),
		`"2024-05-30T07:16:48"`:           time.Date(2024, 5, 30, 7, 16, 48, 0, china),
		`1717053408.917`:                  time.Unix(1717053408, 917_000_000),
		`1717053408`:                      time.Unix(1717053408, 0),
		`"1717053408.917"`:                time.Unix(1717053408, 917_000_000),
		`"1717053408.000000001"`:          time.Unix(1717053408, 1),
		`"yesterday"`:                     {},
		`""`:                              {},
		`true`:                            {},
		`-1`:                              {},
		`1e300`:                           {},
		`"1900-01-01 00:00:00"`:           {},
		`"2300-01-01 00:00:00"`:           {},
		`"1717053408.0000000001"`:         time.Unix(1717053408, 0),
		`1576280412771`:                   time.UnixMilli(1576280412771),
		`"03/Oct/2022:21:59:42 +0200"`:    time.Date(2022, 10, 3, 19, 59, 42, 0, time.UTC),
		`["2024-05-30 07:16:48"]`:         {},
		`{"t":"2024-05-30 07:16:48"}`:     {},
		`"2024-05-30 07:16:48.917 trail"`: {},
	} {
		d := Decoder{Shape: Shape{TimeKey: "t", Zone: china}}
		body := `{"a":"b","t":` + text + `,"x":{"t":1}}`
		got, at, err := shaped(t, &d, body, netip.Addr{})
		require.NoError(t, err)
		require.Len(t, got, 1)
		if want.IsZero() {
			require.EqualValues(t, 1, d.Untimed, text)
			want = received
		}
		require.True(t, want.Equal(at), "%s: %s", text, at)
	}
	d := Decoder{Shape: Shape{TimeKey: "t"}}
	_, at, _ := shaped(t, &d, `{"t":1717053408}{"a":1}`, netip.Addr{})
	require.True(t, received.Equal(at), "the time of one record is not that of the next")
}

func TestBase64TextsAreDecoded(t *testing.T) {
	d := Decoder{Shape: Shape{Base64Keys: []string{"REQ_BODY", "RSP_BODY"}}}
	body := "<script>\n\"ÿ?>"
	for _, coding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		got, _, err := shaped(t, &d, `{"REQ_BODY":"`+coding.EncodeToString([]byte(body))+`","RSP_BODY":"not coded","a":{"REQ_BODY":"YQ=="},"b":"YQ=="}`,
			netip.Addr{})
		require.NoError(t, err)
		require.Equal(t, []string{`{"REQ_BODY":"<script>\n\"ÿ?>","RSP_BODY":"not coded","a":{"REQ_BODY":"YQ=="},"b":"YQ=="}`}, got)
	}
}

func TestWhatIsNotJSONIsKeptWhereAsked(t *testing.T) {
	d := Decoder{Shape: Shape{KeepInvalid: true, AddressKey: "from"}}
	got, _, err := shaped(t, &d, "{\"a\":1}\n{\"b\":\"\xff\" 2", sender)
	require.Error(t, err)
	require.Equal(t, `{"a":1,"from":"192.0.2.7"}`, got[0])
	require.Equal(t, "{\"_raw\":\"{\\\"b\\\":\\\"�\\\" 2\",\"_error\":\"not JSON at byte 10 (want a comma or })\",\"from\":\"192.0.2.7\"}",
		strings.ToValidUTF8(got[1], "�"))

	d = Decoder{}
	got, _, err = shaped(t, &d, `{"a":1} hello`, sender)
	require.Error(t, err)
	require.Equal(t, []string{`{"a":1}`}, got)
	_, records := d.AppendInvalid(nil, []byte("x"), err, Sent{At: received})
	require.Zero(t, records)
}

// FuzzShape asks everything of the decoder at once: what it appends is whole events, and never more than it says.
func FuzzShape(f *testing.F) {
	for _, text := range []string{`{"t":"2024-05-30 07:16:48.917","b":"YQ=="}`, `{"t":1.5,"b":1}{}x`, `{"b":"=","t":{}}`, "\ufeff{\"a\":[1e9]}", `{"t":-1`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := Decoder{Shape: Shape{AddressKey: "s", TimeKey: "t", Base64Keys: []string{"b"}, KeepInvalid: true}}
		chunk, n, err := d.AppendSent([]byte("kept"), text, Sent{From: sender, At: received})
		require.Equal(t, "kept", string(chunk[:4]))
		for chunk = chunk[4:]; len(chunk) > 0; n-- {
			e, rest, broken := record.Next(chunk)
			require.NoError(t, broken)
			require.True(t, record.Has(e.Body, "s"))
			chunk = rest
		}
		require.Zero(t, n)
		var plain Decoder
		_, _, again := plain.AppendEvents(nil, text, received)
		require.Equal(t, again == nil, err == nil, "the shape of records does not decide what is JSON")
	})
}
