package fieldmap

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func TestAddressesAreReadInEveryForm(t *testing.T) {
	for text, want := range map[string][2]string{
		"192.0.2.1":                  {"192.0.2.1", ""},
		"192.0.2.1:443":              {"192.0.2.1", "443"},
		" 192.0.2.1 ":                {"192.0.2.1", ""},
		"192.0.2.1:99999":            {"192.0.2.1", ""},
		"192.0.2.1:http":             {"192.0.2.1", ""},
		"2001:db8:1:2:3:4:5:6:x":     {"", ""},
		"2001:db8::7:99999":          {"", ""},
		"2001:db8::7":                {"2001:db8::7", ""},
		"[2001:db8::7]":              {"2001:db8::7", ""},
		"[2001:db8::7]:443":          {"2001:db8::7", "443"},
		`"[2001:db8::7]:443"`:        {"2001:db8::7", "443"},
		"2001:db8::7:50718":          {"2001:db8::7", "50718"},
		"2001:db8:1:2:3:4:5:6:50718": {"2001:db8:1:2:3:4:5:6", "50718"},
		"2001:db8::7:443":            {"2001:db8::7:443", ""},
		"fe80::1%eth0":               {"fe80::1", ""},
		"[fe80::1%eth0]:80":          {"fe80::1", "80"},
		"::ffff:192.0.2.1":           {"192.0.2.1", ""},
		"[::ffff:192.0.2.1]:80":      {"192.0.2.1", "80"},
		"::ffff:c000:201":            {"192.0.2.1", ""},
		"1234":                       {"", ""},
		"1.2.3.4.5":                  {"", ""},
		"300.1.1.1":                  {"", ""},
		"client.example":             {"client.example", ""},
		"client.example:8080":        {"client.example", "8080"},
		"unknown":                    {"", ""},
		"Unknown:80":                 {"", "80"},
		"_hidden":                    {"", ""},
		"_SEVKISEK:4711":             {"", "4711"},
		"unix:":                      {"", ""},
		"unix:/run/app.sock":         {"", ""},
		"-":                          {"", ""},
		"":                           {"", ""},
		"[2001:db8::7":               {"", ""},
		"192.0.2.1, 10.0.0.1":        {"", ""},
		"a b":                        {"", ""},
		"<script>":                   {"", ""},
	} {
		ip, port := readAddress(text, false)
		require.Equal(t, want, [2]string{ip, port}, text)
	}
	ip, port := readAddress("2001:db8::7:443", true)
	require.Equal(t, []string{"2001:db8::7", "443"}, []string{ip, port}, "a source that always writes a port")
	ip, port = readAddress("2001:db8::7", true)
	require.Equal(t, []string{"2001:db8::7", ""}, []string{ip, port})
}

func TestRandomAddressesAreReadAsTheyWereWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var raw [16]byte
		for i := range raw {
			if random.IntN(3) > 0 {
				raw[i] = byte(random.Uint32())
			}
		}
		address, port := netip.AddrFrom16(raw), 1+random.IntN(65535)
		if random.IntN(2) == 0 {
			address = netip.AddrFrom4([4]byte(raw[:4]))
		}
		if address.Is4In6() {
			continue
		}
		forms := []string{netip.AddrPortFrom(address, uint16(port)).String(), "[" + address.String() + "]:" + strconv.Itoa(port)}
		for _, form := range append(forms, fmt.Sprintf("%s:%d", address, port)) {
			ip, number := readAddress(form, true)
			require.Equal(t, []string{address.String(), strconv.Itoa(port)}, []string{ip, number}, form)
		}
		ip, number := readAddress(address.String(), false)
		require.Equal(t, []string{address.String(), ""}, []string{ip, number})
	}
}

func TestTheClientIsTheFirstFromTheRightThatIsNoProxy(t *testing.T) {
	proxies, err := ParseProxies("private, 203.0.113.0/24 2001:db8:ffff::1")
	require.NoError(t, err)
	for list, want := range map[string]string{
		"198.51.100.7":                              "198.51.100.7",
		"198.51.100.7, 10.0.0.1":                    "198.51.100.7",
		"192.0.2.66, 198.51.100.7, 10.0.0.1":        "198.51.100.7",
		"192.0.2.66 198.51.100.7 172.16.1.1":        "198.51.100.7",
		"198.51.100.7:4711,203.0.113.9:1":           "198.51.100.7",
		"[2001:db8::7]:4711, 2001:db8:ffff::1, ::1": "2001:db8::7",
		"10.0.0.1, 10.0.0.2":                        "10.0.0.1",
		"unknown, 10.0.0.2":                         "10.0.0.2",
		"198.51.100.7, _hidden, 10.0.0.2":           "10.0.0.2",
		"198.51.100.7, <script>, 10.0.0.2":          "10.0.0.2",
		", 198.51.100.7,,":                          "198.51.100.7",
		"for=192.0.2.43, for=198.51.100.17":         "198.51.100.17",
		`For="[2001:db8:cafe::17]:4711"`:            "2001:db8:cafe::17",
		"for=192.0.2.60;proto=http;by=203.0.113.43, for=10.0.0.9; proto=http": "192.0.2.60",
		"for=192.0.2.60, proto=http":                                          "192.0.2.60",
		"for=unknown":                                                         "",
		"for=_gazonk":                                                         "",
		"unknown":                                                             "",
		"":                                                                    "",
	} {
		ip, _ := proxies.client(list)
		require.Equal(t, want, ip, list)
	}
	none, err := ParseProxies("none")
	require.NoError(t, err)
	ip, _ := none.client("198.51.100.7, 10.0.0.1")
	require.Equal(t, "10.0.0.1", ip)
	_, err = ParseProxies("private,10.0.0.0/33")
	require.ErrorContains(t, err, `malformed network "10.0.0.0/33"`)
}

func TestAddressesStandAloneInTransactions(t *testing.T) {
	m := parse(t, `
name: own
fields: {method: m, uri: u, client.ip: client, client.port: client_port, server.ip: server, server.port: server_port}
`)
	for json, want := range map[string]string{
		`"client":"192.0.2.1","client_port":"80"`:                  "192.0.2.1 80",
		`"client":"192.0.2.1:4711"`:                                "192.0.2.1 4711",
		`"client":"192.0.2.1:4711","client_port":80`:               "192.0.2.1 4711",
		`"client":"198.51.100.7:1, 10.0.0.1:2"`:                    "198.51.100.7 1",
		`"client":"for=198.51.100.7;proto=https"`:                  "198.51.100.7 0",
		`"client":["198.51.100.7"],"client_port":4711.0`:           "198.51.100.7 4711",
		`"client":"unknown"`:                                       " 0",
		`"client":"2001:db8::7%eth0","server":"[2001:db8::8]:443"`: "2001:db8::7 0 2001:db8::8 443",
		`"server":"10.0.0.1:8080, 10.0.0.2:8080"`:                  " 0 10.0.0.2 8080",
	} {
		tx, v := transaction(t, m, `{"m":"GET","u":"/",`+json+`}`)
		got := fmt.Sprintf("%s %d", tx.ClientIP, tx.ClientPort)
		if tx.ServerIP != "" {
			got += fmt.Sprintf(" %s %d", tx.ServerIP, tx.ServerPort)
		}
		require.Equal(t, want, got, json)
		require.Equal(t, tx.ClientIP, v.ClientAddress())
		require.Equal(t, tx.ClientIP == "", tx.Unknown&rules.PartClient != 0)
	}
}

func TestAKeyThatTellsNoAddressLeavesItToTheNext(t *testing.T) {
	m := parse(t, `
name: own
fields: {method: m, uri: u, client.ip: xff|peer, client.port: xff_port|peer_port, server.address: up|up2}
`)
	for json, want := range map[string]string{
		`"xff":"unknown","peer":"192.0.2.1"`:                                     "192.0.2.1 0",
		`"xff":"203.0.113.5, foo","peer":"192.0.2.1"`:                            "192.0.2.1 0",
		`"peer":"192.0.2.1","xff":"1234"`:                                        "192.0.2.1 0",
		`"xff":"","peer":"192.0.2.1:80"`:                                         "192.0.2.1 80",
		`"peer":"192.0.2.1","peer_port":"80","xff":"198.51.100.7"`:               "198.51.100.7 0",
		`"peer":"192.0.2.1","peer_port":"80","xff":"-"`:                          "192.0.2.1 80",
		`"xff":"198.51.100.7","xff_port":"81","peer":"192.0.2.1","peer_port":80`: "198.51.100.7 81",
	} {
		tx, _ := transaction(t, m, `{"m":"GET","u":"/",`+json+`}`)
		require.Equal(t, want, fmt.Sprintf("%s %d", tx.ClientIP, tx.ClientPort), json)
	}
	tx, _ := read(t, open(t, "auto"), `{"request":"GET http://a:80/ HTTP/1.1","elb_status_code":200,"client_ip":"192.0.2.1","client_port":"2817","target_ip":"10.0.0.1","target_port":80}`)
	require.Equal(t, "192.0.2.1 2817 10.0.0.1 80", fmt.Sprintf("%s %d %s %d", tx.ClientIP, tx.ClientPort, tx.ServerIP, tx.ServerPort))
}

func TestTheLastForwardingHeadersCount(t *testing.T) {
	head := `GET / HTTP/1.1\r\nHost: a\r\n` + strings.Repeat(`X-Forwarded-For: 203.0.113.1\r\n`, 40) + `X-Forwarded-For: 198.51.100.7\r\n\r\n`
	tx, v := read(t, open(t, "auto"), `{"REQ_HEADER":"`+head+`"}`)
	client, all := v.Forwarded(tx)
	require.Equal(t, "198.51.100.7", client)
	require.Contains(t, all, "198.51.100.7")
}

func TestForwardingHeadersTellTheClient(t *testing.T) {
	c := open(t, "auto")
	for name, json := range map[string]string{
		"a field":        `{"remote_addr":"10.0.0.9","request":"GET / HTTP/1.1","http_x_forwarded_for":"198.51.100.7, 10.0.0.1"}`,
		"RFC 7239":       `{"remote_addr":"10.0.0.9","request":"GET / HTTP/1.1","http_forwarded":"for=198.51.100.7, for=10.0.0.1"}`,
		"a map of lists": `{"request":{"remote_ip":"10.0.0.9","method":"GET","uri":"/","proto":"HTTP/1.1","headers":{"X-Forwarded-For":["198.51.100.7","10.0.0.1"]}}}`,
		"a list of maps": `{"httpRequest":{"clientIp":"10.0.0.9","httpMethod":"GET","uri":"/","headers":[{"name":"x-forwarded-for","value":"198.51.100.7,10.0.0.1"}]}}`,
		"a raw head":     `{"FORWARD":"0.0.0.0","REQ_HEADER":"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"}`,
	} {
		tx, v := read(t, c, json)
		client, all := v.Forwarded(tx)
		require.Equal(t, "198.51.100.7", client, name)
		require.Equal(t, []string{"198.51.100.7", "10.0.0.1"}, all, name)
	}
	tx, v := read(t, c, `{"FORWARD":"0.0.0.0","METHOD":"GET","URL":"/"}`)
	client, all := v.Forwarded(tx)
	require.Equal(t, "0.0.0.0", client, "nothing tells more")
	require.Empty(t, all)
}
