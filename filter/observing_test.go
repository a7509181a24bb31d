package filter

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// observed returns what a record of nginx in JSON contributes, with fields that replace those of an ordinary one.
func observed(t testing.TB, settings setting.Map, fields map[string]any) *incident.Observation {
	t.Helper()
	f, _, err := NewObserving(testHost, settings, quiet)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	record := map[string]any{
		"time_iso8601": "2026-03-02T08:00:00+00:00", "remote_addr": "198.51.100.7", "server_addr": "10.2.0.7", "server_port": "8080", "request_method": "GET",
		"request_uri": "/orders/17?q=1", "status": "200", "http_user_agent": "agent", "http_host": "shop.example", "body_bytes_sent": "512", "server_protocol": "HTTP/1.1",
	}
	for name, value := range fields {
		record[name] = value
		if value == nil {
			delete(record, name)
		}
	}
	found := f.Check(event(t, record))
	require.Len(t, found, 1)
	require.NotNil(t, found[0].Observation)
	return found[0].Observation
}

func TestARecordIsObserved(t *testing.T) {
	o := observed(t, nil, nil)
	require.Equal(t, &incident.Observation{
		Time: 1_772_438_400_000, Source: "198.51.100.7", Target: "10.2.0.7:8080", TargetHost: "10.2.0.7", Method: "GET", Path: "/orders/17?q=1", Status: 200, Bytes: 512,
		Agent: "agent",
	}, o)
}

func TestWhoAsksIsBelievedOfTrustedProxiesOnly(t *testing.T) {
	for name, c := range map[string]struct {
		address, forwarded, trusted, want string
		internal                          bool
	}{
		"no proxy":                          {"198.51.100.7", "", "private", "198.51.100.7", false},
		"a trusted one":                     {"10.0.0.1", "203.0.113.9", "private", "203.0.113.9", false},
		"a header that the client has made": {"198.51.100.7", "203.0.113.9", "private", "198.51.100.7", false},
		"one before those of proxies":       {"10.0.0.1", "192.0.2.1, 203.0.113.9, 10.0.0.2", "private", "203.0.113.9", false},
		"nobody is trusted":                 {"10.0.0.1", "203.0.113.9", "none", "10.0.0.1", true},
		"one of ours":                       {"10.0.0.1", "10.7.7.7", "private", "10.7.7.7", true},
		"nonsense":                          {"10.0.0.1", "unknown", "private", "10.0.0.1", true},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(t, setting.Map{"trusted_proxies": c.trusted}, map[string]any{"remote_addr": c.address, "http_x_forwarded_for": c.forwarded})
			require.Equal(t, c.want, o.Source)
			require.Equal(t, c.internal, o.Internal)
		})
	}
}

func TestCredentialsTellPrincipalsApart(t *testing.T) {
	principal := func(fields map[string]any) uint64 { return observed(t, nil, fields).Principal }
	require.Zero(t, principal(nil))
	all := []uint64{
		principal(map[string]any{"http_authorization": "Bearer aaaa"}), principal(map[string]any{"http_authorization": "Bearer bbbb"}),
		principal(map[string]any{"http_cookie": "lang=en; PHPSESSID=0123456789abcdef; x=1"}), principal(map[string]any{"http_cookie": "PHPSESSID=fedcba9876543210"}),
		principal(map[string]any{"remote_user": "jane"}),
	}
	require.NotContains(t, all, uint64(0))
	slices.Sort(all)
	require.Len(t, slices.Compact(all), 5)
	require.Zero(t, principal(map[string]any{"http_cookie": "lang=en; theme=dark-mode"}))
	require.Equal(t, principal(map[string]any{"http_authorization": "Bearer aaaa"}), principal(map[string]any{"http_authorization": "Bearer aaaa", "http_cookie": "sid=0123456789"}))

	failed := observed(t, nil, map[string]any{"remote_user": "jane", "status": "401"})
	require.Zero(t, failed.Principal, "a name that was not accepted is nobody")
	require.NotZero(t, failed.User)

	file := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte("salt: mine\n"), 0o600))
	salted := observed(t, setting.Map{"incident_rules": file}, map[string]any{"remote_user": "jane"})
	require.NotEqual(t, principal(map[string]any{"remote_user": "jane"}), salted.Principal)
}

func TestATargetIsTheWorkloadThatLogsIt(t *testing.T) {
	for pod, want := range map[string]string{
		"cart-6f7b9c8d4-x2k9p": "web/cart", "store-0": "web/store", "agent-x7k2q": "web/agent", "cart": "web/cart", "node-exporter-abcdefgh": "web/node-exporter-abcdefgh",
	} {
		o := observed(t, nil, map[string]any{"kubernetes": map[string]any{"namespace_name": "web", "pod_name": pod, "pod_ip": "10.2.0.99"}})
		require.Equal(t, want, o.Target)
		require.Equal(t, "10.2.0.99", o.TargetHost)
	}
	o := observed(t, nil, map[string]any{"kubernetes": map[string]any{"namespace_name": "web", "pod_name": "x-1", "labels": map[string]any{"app": "b", "app.kubernetes.io/name": "shop"}}})
	require.Equal(t, "web/shop", o.Target)
	require.Equal(t, "shop.example", observed(t, nil, map[string]any{"server_addr": nil}).Target)
}

func TestIdentitiesNameSourcesAndTargets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "services.yaml")
	require.NoError(t, os.WriteFile(file, []byte("10.2.0.0/16: rest\n10.2.0.0/24: web\n10.2.0.7: shop\nShop.Example: front\n\"2001:db8::/32\": six\n"), 0o600))
	o := observed(t, setting.Map{"identities": file}, map[string]any{"remote_addr": "10.2.0.8"})
	require.Equal(t, []string{"web", "shop", "shop"}, []string{o.Source, o.Target, o.TargetHost})
	require.True(t, o.Internal)
}

func TestWhatRulesFindInRequestsIsAnAttackAndInResponsesItems(t *testing.T) {
	o := observed(t, nil, map[string]any{"request_uri": "/?id=1%27%20UNION%20SELECT%20a%20FROM%20b--&token=s3cr3t-value", "status": "403"})
	require.NotNil(t, o.Attack)
	require.True(t, o.Attack.Refused)
	require.NotZero(t, o.Attack.Values)
	require.Contains(t, fmt.Sprint(o.Attack.Rules), "sqli")
	shown := o.Attack.Show()
	require.Len(t, shown.Alert, 32)
	require.Contains(t, shown.URI, "[redacted]")
	require.NotContains(t, shown.URI, "s3cr3t")

	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
	f, _, err := NewObserving(testHost, setting.Map(nil), quiet)
	require.NoError(t, err)
	defer f.Close()
	found := f.Check(pairs("L7_PROTOCOL", "http", "SRC_IP", "198.51.100.7", "DST_IP", "10.2.0.7", "METHOD", "GET", "URL", "/customers", "RETCODE", "200",
		"REQ_HEADER", "GET /customers HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: agent\r\nAccept: */*\r\n\r\n", "RSP_HEADER", head,
		"RSP_BODY", `{"cards":["card: 4024007103939509","card: 5425233430109903","card: 4916338506082832"]}`))
	require.NotNil(t, found[0].Observation)
	require.Nil(t, found[0].Observation.Attack)
	require.NotZero(t, found[0].Observation.Items)
}

func TestAToolIsTheSameForAllItsRequests(t *testing.T) {
	get := observed(t, nil, map[string]any{"http_accept": "*/*"})
	post := observed(t, nil, map[string]any{"http_accept": "*/*", "request_method": "POST", "content_type": "text/plain", "request_body": "hello", "http_cookie": "a=b", "http_referer": "/"})
	require.Equal(t, get.Shape, post.Shape)
}

func TestTheNameOfAScannerIsNoAttack(t *testing.T) {
	o := observed(t, nil, map[string]any{"http_user_agent": "gobuster/3.5"})
	require.NotNil(t, o.Attack)
	require.NotEmpty(t, o.Attack.Rules)
	for _, r := range o.Attack.Rules {
		require.Equal(t, "reputation-scanner", r.Category, r.ID)
	}
}

// APIs use methods that the Core Rule Set's policy forbids: that alerts, but shows no attacker.
func TestAMethodIsNoAttack(t *testing.T) {
	o := observed(t, nil, map[string]any{"request_method": "PUT"})
	require.Nil(t, o.Attack)
	o = observed(t, nil, map[string]any{"request_method": "PUT", "request_uri": "/?f=../../etc/passwd"})
	require.NotNil(t, o.Attack)
	require.False(t, slices.ContainsFunc(o.Attack.Rules, func(r incident.Rule) bool { return r.ID == 911100 }))
}

func TestTheProxyBesideATargetIsNoClientOfOthers(t *testing.T) {
	require.Equal(t, "10.2.0.7", observed(t, nil, map[string]any{"remote_addr": "127.0.0.6"}).Source)
	require.Equal(t, "203.0.113.9", observed(t, nil, map[string]any{"remote_addr": "127.0.0.6", "http_x_forwarded_for": "203.0.113.9"}).Source)
	require.Equal(t, "127.0.0.1", observed(t, nil, map[string]any{"remote_addr": "127.0.0.1", "server_addr": nil}).Source)
}

// Several rules that match one value show the payload as one rule does: a service behind a gateway may have other rules.
func TestAPayloadIsTheSameForAllRulesThatMatchIt(t *testing.T) {
	one := setting.Map{"rules": file(t, `SecRule ARGS "@contains evil" "id:1,phase:2,deny,log,severity:CRITICAL"`)}
	two := setting.Map{"rules": file(t, `SecRule ARGS "@contains evil" "id:1,phase:2,pass,log,severity:CRITICAL"
SecRule ARGS "@contains vil" "id:2,phase:2,deny,log,severity:CRITICAL"`)}
	fields := map[string]any{"request_uri": "/?q=evil"}
	first, second := observed(t, one, fields), observed(t, two, fields)
	require.Len(t, first.Attack.Rules, 1)
	require.Len(t, second.Attack.Rules, 2)
	require.NotZero(t, first.Attack.Values)
	require.Equal(t, first.Attack.Values, second.Attack.Values)
}
