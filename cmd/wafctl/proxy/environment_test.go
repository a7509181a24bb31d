package proxy

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// ofServers are the variables that modsecurity-crs-docker documents and sets for nginx and Apache. The variables of the Core Rule Set and the engine are in
// testdata.
var ofServers = strings.Fields(`
ACCESSLOG APACHE_ALWAYS_TLS_REDIRECT APACHE_ERRORLOG_FORMAT APACHE_LOGFORMAT APACHE_METRICS_LOGFORMAT BACKEND BACKEND_WS CLIENT_BODY_TIMEOUT
CORS_HEADER_403_ALLOW_ORIGIN CORS_HEADER_403_ALLOW_METHODS CORS_HEADER_403_CONTENT_TYPE CORS_HEADER_403_MAX_AGE
CORS_HEADER_ACCESS_CONTROL_ALLOW_HEADERS ERRORLOG H2_DIRECT H2_PROTOCOLS HTTP2 HTTP3 HTTP3_ALT_SVC_PORT KEEPALIVE_TIMEOUT LOGLEVEL
METRICS_ALLOW_FROM METRICS_DENY_FROM METRICSLOG MUTEX NGINX_ALWAYS_TLS_REDIRECT NGINX_ENVSUBST_OUTPUT_DIR NGINX_PORT_IN_REDIRECT
NGINX_WORKER_PROCESSES NGINX_X_FORWARDED_PORT NGINX_X_FORWARDED_PROTO PORT PROXY_ERROR_OVERRIDE PROXY_HOST_HEADER PROXY_PRESERVE_HOST PROXY_SSL
PROXY_SSL_CA_CERT_FILE PROXY_SSL_CERT_FILE PROXY_SSL_CERT_KEY_FILE PROXY_SSL_CHECK_PEER_NAME PROXY_SSL_CIPHERS PROXY_SSL_PROTOCOLS PROXY_SSL_VERIFY
PROXY_SSL_VERIFY_DEPTH PROXY_TIMEOUT REAL_IP_HEADER REAL_IP_PROXY_HEADER REAL_IP_RECURSIVE REMOTEIP_HEADER REMOTEIP_INT_PROXY
REQ_HEADER_FORWARDED_PROTO REQUEST_READ_TIMEOUT_BODY REQUEST_READ_TIMEOUT_BODY_MIN_RATE REQUEST_READ_TIMEOUT_HEADER
REQUEST_READ_TIMEOUT_HEADER_MIN_RATE RESOLVERS RESOLVER_CONFIG SERVER_ADMIN SERVER_HEADER SERVER_NAME SERVER_SIGNATURE SERVER_TOKENS SET_REAL_IP_FROM
SSL_CERT_FILE SSL_CERT_KEY_FILE SSL_CIPHERS SSL_DH_BITS SSL_ENGINE SSL_HONOR_CIPHER_ORDER SSL_OCSP_STAPLING SSL_PORT SSL_PREFER_CIPHERS SSL_PROTOCOLS
SSL_SESSION_TICKETS SSL_VERIFY SSL_VERIFY_DEPTH TIMEOUT WORKER_CONNECTIONS`)

func TestEveryVariableOfTheImageHasASettingOrAReason(t *testing.T) {
	known := map[string]bool{}
	for _, p := range Properties() {
		known[p.Name] = true
	}
	var listed []string
	for _, v := range Variables() {
		listed = append(listed, v.Name)
		if v.Setting == "" {
			require.NotEmpty(t, v.Note, v.Name)
		} else {
			require.True(t, known[v.Setting], "%s sets %s", v.Name, v.Setting)
		}
	}
	ofRules, err := os.ReadFile("../../../testdata/modsecurity-crs-docker.txt")
	require.NoError(t, err)
	require.ElementsMatch(t, append(strings.Fields(string(ofRules)), ofServers...), listed)
}

// read reads an environment, and what it makes of the settings.
func read(t *testing.T, environment map[string]string, values setting.Map) (notes []string, problems error) {
	t.Helper()
	notes = readEnvironment(values, func(name string) (string, bool) { text, given := environment[name]; return text, given })
	r := setting.NewReader(values, Properties())
	readSettings(r)
	return notes, r.Err()
}

func TestADirectoryThatTakesNoBodiesPreventsStartup(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := read(t, map[string]string{"MODSEC_TMP_DIR": missing}, setting.Map{"backend": "http://shop"})
	require.ErrorContains(t, err, "temp_dir: no file can be created in "+missing+": no such file or directory")
}

func TestTheEnvironmentOfTheImageIsRead(t *testing.T) {
	certificate, key := writeCertificate(t, t.TempDir(), 1)
	values := setting.Map{"anomaly_inbound": "7"}
	notes, err := read(t, map[string]string{
		"BACKEND": "http://shop:80", "PORT": "8081", "SSL_PORT": "8444", "SSL_CERT_FILE": certificate, "SSL_CERT_KEY_FILE": key, "BLOCKING_PARANOIA": "2",
		"ANOMALY_INBOUND": "10", "MODSEC_RULE_ENGINE": "DetectionOnly", "MODSEC_REQ_BODY_LIMIT_ACTION": "ProcessPartial", "PROXY_TIMEOUT": "60",
		"KEEPALIVE_TIMEOUT": "30s", "SET_REAL_IP_FROM": "10.0.0.0/8 192.168.0.0/16", "REAL_IP_HEADER": "X-REAL-IP", "MODSEC_AUDIT_LOG": "/dev/stdout",
		"MODSEC_AUDIT_LOG_PARTS": "AHZ", "REQUEST_READ_TIMEOUT_HEADER": "20-40", "PROXY_SSL_VERIFY": "none", "SERVER_TOKENS": "off",
		"ALLOWED_REQUEST_CONTENT_TYPE": "|application/json| |text/xml|", "MODSEC_REQ_BODY_ACCESS": "on", "MODSEC_AUDIT_ENGINE": "RelevantOnly",
	}, values)
	require.NoError(t, err)
	require.Equal(t, []string{"SERVER_TOKENS has no effect: the Server header is the backend's"}, notes)
	require.Equal(t, setting.Map{
		"backend": "http://shop:80", "listen": ":8081", "tls_listen": ":8444", "tls_cert": certificate, "tls_key": key, "blocking_paranoia": "2",
		"anomaly_inbound": "7", "engine": "detect", "body_over_limit": "partial", "backend_timeout": "60s", "idle_timeout": "30s",
		"trusted_proxies": "10.0.0.0/8,192.168.0.0/16", "real_ip_header": "X-REAL-IP", "alert_to": "stdout", "include_payload": "off",
		"header_timeout": "40s", "access_log": "stdout", "access_log_format": "combined", "backend_verify": "off", "allowed_request_content_type": "|application/json| |text/xml|",
		"modsec_req_body_access": "on", "rules": "crs",
	}, values)
}

// Without a key, the variable means something else: the authorities that programs of the container trust.
func TestAFileOfAuthoritiesIsNoCertificate(t *testing.T) {
	values := setting.Map{}
	_, err := read(t, map[string]string{"BACKEND": "http://shop", "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}, values)
	require.NoError(t, err)
	require.Empty(t, values["tls_cert"])
	require.Empty(t, values["tls_listen"])
}

// The certificate of the server does not become the authority that verifies backends.
func TestTheCertificateIsNoAuthority(t *testing.T) {
	certificate, key := writeCertificate(t, t.TempDir(), 1)
	t.Setenv("SSL_CERT_FILE", certificate)
	t.Setenv("SSL_CERT_KEY_FILE", key)
	f := &cli.Flags{Values: setting.Map{"environment": "on", "listen": "127.0.0.1:0", "tls_listen": "127.0.0.1:0", "access_log": "off"}}
	p, err := start(f, &cli.Console{Host: clitest.Host, Out: io.Discard, Err: io.Discard})
	require.NoError(t, err)
	p.engine.Discard()
	require.Equal(t, certificate, f.Values["tls_cert"])
	require.Empty(t, os.Getenv("SSL_CERT_FILE"))
}

// These are the defaults that the image sets itself, those with files apart.
func TestTheDefaultsOfTheImageAreAccepted(t *testing.T) {
	_, err := read(t, map[string]string{
		"CLIENT_BODY_TIMEOUT": "10s", "HTTP2": "on", "KEEPALIVE_TIMEOUT": "60s", "MODSEC_ARGUMENTS_LIMIT": "1000", "MODSEC_AUDIT_ENGINE": "RelevantOnly",
		"MODSEC_AUDIT_LOG": "/dev/stdout", "MODSEC_AUDIT_LOG_PARTS": "ABIJDEFHZ", "MODSEC_REQ_BODY_ACCESS": "on", "MODSEC_REQ_BODY_JSON_DEPTH_LIMIT": "512",
		"MODSEC_REQ_BODY_LIMIT": "13107200", "MODSEC_REQ_BODY_LIMIT_ACTION": "Reject", "MODSEC_RESP_BODY_ACCESS": "on", "MODSEC_RESP_BODY_LIMIT": "1048576",
		"MODSEC_RESP_BODY_MIMETYPE": "text/plain text/html text/xml", "MODSEC_RULE_ENGINE": "on", "MODSEC_TAG": "modsecurity", "NGINX_ALWAYS_TLS_REDIRECT": "off",
		"PORT": "8080", "PROXY_SSL_VERIFY": "off", "PROXY_TIMEOUT": "60s", "REAL_IP_HEADER": "X-REAL-IP", "SET_REAL_IP_FROM": "127.0.0.1", "SSL_PORT": "8443",
		"WORKER_CONNECTIONS": "1024", "ANOMALY_INBOUND": "5", "ANOMALY_OUTBOUND": "4", "BLOCKING_PARANOIA": "1", "REQUEST_READ_TIMEOUT_BODY": "20", "TIMEOUT": "60",
	}, setting.Map{})
	require.NoError(t, err)
}

func TestMountedExclusionsAreFound(t *testing.T) {
	defer func(before []string) { mounts = before }(mounts)
	dir := t.TempDir()
	mounts = []string{t.TempDir(), dir}
	before, after := filepath.Join(dir, "REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"), filepath.Join(dir, "RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf")
	require.Equal(t, "crs", withExclusions())
	require.NoError(t, os.WriteFile(after, nil, 0o600))
	require.Equal(t, "crs,"+after, withExclusions())
	require.NoError(t, os.WriteFile(before, nil, 0o600))
	require.Equal(t, before+",crs,"+after, withExclusions())
}

// The page shows a Deployment of the image of modsecurity-crs-docker with another image. Its variables make a proxy that blocks what its curl
// sends, and logs the message.
func TestTheDeploymentOfThePageBlocks(t *testing.T) {
	page, err := os.ReadFile("../../../docs/migrate-from-crs-docker.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(page), "```yaml\napiVersion: apps/v1\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "```")
	var deployment struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Env   []struct{ Name, Value string }
						Ports []struct {
							ContainerPort string `yaml:"containerPort"`
						}
					}
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &deployment))
	container := deployment.Spec.Template.Spec.Containers[0]
	environment := map[string]string{}
	for _, v := range container.Env {
		environment[v.Name] = v.Value
	}
	values := setting.Map{}
	notes, err := read(t, environment, values)
	require.NoError(t, err)
	require.Empty(t, notes, "every variable has an effect")
	require.Equal(t, ":"+container.Ports[0].ContainerPort, values["listen"])
	require.Equal(t, "http://shop:80", values["backend"])

	b := record(t)
	values["listen"] = "127.0.0.1:0" // here, the ports of the page may be taken
	p := run(t, b.URL, withoutBackend(values))
	status, _ := p.get("/?do='drop%20table'")
	require.Equal(t, 403, status)
	p.end()
	require.Zero(t, b.count())
	require.Contains(t, p.alerts.String(), "Detects concatenated basic SQL injection and SQLLFI attempts")
}

func withoutBackend(values setting.Map) setting.Map {
	delete(values, "backend")
	return values
}
