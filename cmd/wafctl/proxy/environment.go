package proxy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Variable is an environment variable of modsecurity-crs-docker, and what becomes of it here.
type Variable struct {
	Name    string
	Setting string // that it sets, "" for none
	Note    string // what is different, or why it sets nothing

	convert func(value string) string // to a value of the setting; nil for none
}

// Variables returns all variables of the image's variants for nginx and Apache.
func Variables() []Variable { return slices.Concat(variables, sameName()) }

// sameName are the variables whose settings have their names in lower case: those of the Core Rule Set, and most of the engine.
func sameName() (all []Variable) {
	for _, p := range rules.Properties() {
		switch p.Name {
		case "rules", "preset", "rule_packs", "exclude_rules", "directives", "cache_size", "prefilter", "gate", "rules_strict":
		default:
			all = append(all, Variable{Name: strings.ToUpper(p.Name), Setting: p.Name})
		}
	}
	return all
}

var variables = []Variable{
	{Name: "BACKEND", Setting: "backend"},
	{Name: "BACKEND_WS", Note: "WebSockets go to the backend"},
	{Name: "PORT", Setting: "listen", convert: port},
	{Name: "SSL_PORT", Setting: "tls_listen", convert: port, Note: "needs SSL_CERT_FILE and SSL_CERT_KEY_FILE"},
	{Name: certificateVariable, Setting: "tls_cert", Note: "needs SSL_CERT_KEY_FILE"},
	{Name: "SSL_CERT_KEY_FILE", Setting: "tls_key"},
	{Name: "SSL_ENGINE", Note: "TLS is on if SSL_CERT_FILE is set"},
	{Name: "NGINX_ALWAYS_TLS_REDIRECT", Setting: "tls_redirect", convert: strings.ToLower},
	{Name: "APACHE_ALWAYS_TLS_REDIRECT", Setting: "tls_redirect", convert: strings.ToLower},
	{Name: "HTTP2", Setting: "http2"},
	{Name: "H2_DIRECT", Setting: "http2"},
	{Name: "PROXY_PRESERVE_HOST", Setting: "preserve_host"},
	{Name: "PROXY_TIMEOUT", Setting: "backend_timeout", convert: seconds},
	{Name: "PROXY_SSL_VERIFY", Setting: "backend_verify", convert: verify, Note: "on by default"},
	{Name: "PROXY_SSL_CA_CERT_FILE", Setting: "backend_ca"},
	{Name: "CLIENT_BODY_TIMEOUT", Setting: "body_timeout", convert: seconds, Note: "for the whole body"},
	{Name: "KEEPALIVE_TIMEOUT", Setting: "idle_timeout", convert: seconds},
	{Name: "TIMEOUT", Setting: "send_timeout", convert: seconds},
	{Name: "REQUEST_READ_TIMEOUT_BODY", Setting: "body_timeout", convert: seconds},
	{Name: "REQUEST_READ_TIMEOUT_HEADER", Setting: "header_timeout", convert: lastSeconds},
	{Name: "WORKER_CONNECTIONS", Setting: "max_connections", Note: "for the whole process"},
	{Name: "SET_REAL_IP_FROM", Setting: "trusted_proxies", convert: networks},
	{Name: "REMOTEIP_INT_PROXY", Setting: "trusted_proxies", convert: networks},
	{Name: "REAL_IP_HEADER", Setting: "real_ip_header"},
	{Name: "REMOTEIP_HEADER", Setting: "real_ip_header"},

	{Name: "MODSEC_RULE_ENGINE", Setting: "engine", convert: engineMode},
	{Name: "MODSEC_REQ_BODY_LIMIT_ACTION", Setting: "body_over_limit", convert: limitAction},
	{Name: "MODSEC_AUDIT_ENGINE", Setting: "alert_to", convert: auditEngine, Note: "On and RelevantOnly deliver all alerts"},
	{Name: "MODSEC_AUDIT_LOG", Setting: "alert_to", convert: auditLog},
	{Name: "MODSEC_AUDIT_LOG_PARTS", Setting: "include_payload", convert: auditParts, Note: "off without B, C and I"},
	{Name: "MODSEC_TMP_DIR", Setting: "temp_dir"},
	{Name: "MODSEC_TAG", Setting: "tag", Note: "tag of alerts"},

	{Name: "MODSEC_RESP_BODY_LIMIT_ACTION", Note: "as with ProcessPartial"},
	{Name: "MODSEC_REQ_BODY_NOFILES_LIMIT", Note: "one limit for all bodies"},
	{Name: "MODSEC_AUDIT_LOG_FORMAT", Note: "see alert_to and emit_format"},
	{Name: "MODSEC_AUDIT_LOG_RELEVANT_STATUS", Note: "see alert_to and emit_format"},
	{Name: "MODSEC_AUDIT_LOG_TYPE", Note: "see alert_to and emit_format"},
	{Name: "MODSEC_AUDIT_STORAGE_DIR", Note: "see alert_to and emit_format"},
	{Name: "MODSEC_ARGUMENT_SEPARATOR", Note: "always &"},
	{Name: "MODSEC_COOKIE_FORMAT", Note: "always Netscape cookies"},
	{Name: "MODSEC_DATA_DIR", Note: "nothing is kept between transactions"},
	{Name: "MODSEC_DEBUG_LOG", Note: "use wafctl check --explain"},
	{Name: "MODSEC_DEBUG_LOGLEVEL", Note: "use wafctl check --explain"},
	{Name: "MODSEC_DEFAULT_PHASE1_ACTION", Note: "set SecDefaultAction in a rule file"},
	{Name: "MODSEC_DEFAULT_PHASE2_ACTION", Note: "set SecDefaultAction in a rule file"},
	{Name: "MODSEC_DISABLE_BACKEND_COMPRESSION", Note: "responses are decompressed for inspection"},
	{Name: "MODSEC_PCRE_MATCH_LIMIT", Note: "expressions run in linear time"},
	{Name: "MODSEC_PCRE_MATCH_LIMIT_RECURSION", Note: "expressions run in linear time"},
	{Name: "MODSEC_SERVER_SIGNATURE", Note: "the Server header is the backend's"},
	{Name: "MODSEC_STATUS_ENGINE", Note: "nothing is sent to other hosts"},
	{Name: "MODSEC_TMP_SAVE_UPLOADED_FILES", Note: "bodies are never kept"},
	{Name: "MODSEC_UNICODE_MAPPING", Note: "%u escapes are decoded to their low byte"},
	{Name: "MODSEC_UPLOAD_DIR", Note: "bodies are never kept"},
	{Name: "MODSEC_UPLOAD_FILE_MODE", Note: "bodies are never kept"},
	{Name: "MODSEC_UPLOAD_KEEP_FILES", Note: "bodies are never kept"},
	{Name: "MANUAL_MODE", Note: "list crs-setup.conf before crs in rules"},
	{Name: "CRS_DISABLE_PLUGINS", Note: "list plugins in rules"},
	{Name: "CRS_ENABLE_TEST_MARKER", Note: "not applicable"},

	{Name: "ACCESSLOG", Setting: "access_log", convert: accessLog, Note: "default stdout, combined format"},
	{Name: "ERRORLOG", Note: "always standard error"},
	{Name: "LOGLEVEL", Note: "see --quiet"},
	{Name: "METRICSLOG", Note: "see metrics_listen"},
	{Name: "METRICS_ALLOW_FROM", Note: "see metrics_listen"},
	{Name: "METRICS_DENY_FROM", Note: "see metrics_listen"},
	{Name: "APACHE_ERRORLOG_FORMAT", Note: "not applicable"},
	{Name: "APACHE_LOGFORMAT", Note: "see access_log_format"},
	{Name: "APACHE_METRICS_LOGFORMAT", Note: "see metrics_listen"},
	{Name: "MUTEX", Note: "not applicable"},
	{Name: "CORS_HEADER_403_ALLOW_ORIGIN", Note: "not supported"},
	{Name: "CORS_HEADER_403_ALLOW_METHODS", Note: "not supported"},
	{Name: "CORS_HEADER_403_CONTENT_TYPE", Note: "HTML or JSON, as the client accepts"},
	{Name: "CORS_HEADER_403_MAX_AGE", Note: "not supported"},
	{Name: "CORS_HEADER_ACCESS_CONTROL_ALLOW_HEADERS", Note: "not supported"},
	{Name: "HTTP3", Note: "not supported"},
	{Name: "HTTP3_ALT_SVC_PORT", Note: "not supported"},
	{Name: "H2_PROTOCOLS", Note: "see http2"},
	{Name: "NGINX_ENVSUBST_OUTPUT_DIR", Note: "not applicable"},
	{Name: "NGINX_PORT_IN_REDIRECT", Note: "redirects go to port 443"},
	{Name: "NGINX_WORKER_PROCESSES", Note: "all cores; limit them with GOMAXPROCS"},
	{Name: "NGINX_X_FORWARDED_PORT", Note: "not supported"},
	{Name: "NGINX_X_FORWARDED_PROTO", Note: "set by the connection or a trusted proxy"},
	{Name: "REQ_HEADER_FORWARDED_PROTO", Note: "set by the connection or a trusted proxy"},
	{Name: "PROXY_HOST_HEADER", Note: "see preserve_host"},
	{Name: "PROXY_ERROR_OVERRIDE", Note: "backend errors pass unchanged"},
	{Name: "PROXY_SSL", Note: "use an https URL in BACKEND"},
	{Name: "PROXY_SSL_CERT_FILE", Setting: "backend_cert"},
	{Name: "PROXY_SSL_CERT_KEY_FILE", Setting: "backend_key"},
	{Name: "PROXY_SSL_CHECK_PEER_NAME", Note: "see PROXY_SSL_VERIFY"},
	{Name: "PROXY_SSL_CIPHERS", Note: "chosen by Go's crypto/tls"},
	{Name: "PROXY_SSL_PROTOCOLS", Note: "TLS 1.2 and 1.3"},
	{Name: "PROXY_SSL_VERIFY_DEPTH", Note: "unlimited"},
	{Name: "REAL_IP_PROXY_HEADER", Note: "always X-Real-IP"},
	{Name: "REAL_IP_RECURSIVE", Note: "always on"},
	{Name: "RESOLVERS", Note: "the system's resolver"},
	{Name: "RESOLVER_CONFIG", Note: "the system's resolver"},
	{Name: "REQUEST_READ_TIMEOUT_BODY_MIN_RATE", Note: "see body_timeout and header_timeout"},
	{Name: "REQUEST_READ_TIMEOUT_HEADER_MIN_RATE", Note: "see body_timeout and header_timeout"},
	{Name: "SERVER_ADMIN", Note: "not supported"},
	{Name: "SERVER_HEADER", Note: "the Server header is the backend's"},
	{Name: "SERVER_NAME", Note: "all hosts are served"},
	{Name: "SERVER_SIGNATURE", Note: "not supported"},
	{Name: "SERVER_TOKENS", Note: "the Server header is the backend's"},
	{Name: "SSL_CIPHERS", Note: "chosen by Go's crypto/tls"},
	{Name: "SSL_DH_BITS", Note: "chosen by Go's crypto/tls"},
	{Name: "SSL_HONOR_CIPHER_ORDER", Note: "chosen by Go's crypto/tls"},
	{Name: "SSL_OCSP_STAPLING", Note: "not supported"},
	{Name: "SSL_PREFER_CIPHERS", Note: "chosen by Go's crypto/tls"},
	{Name: "SSL_PROTOCOLS", Note: "TLS 1.2 and 1.3"},
	{Name: "SSL_SESSION_TICKETS", Note: "chosen by Go's crypto/tls"},
	{Name: "SSL_VERIFY", Setting: "client_verify", convert: strings.ToLower, Note: "needs client_ca"},
	{Name: "SSL_VERIFY_DEPTH", Note: "unlimited"},
}

// certificateVariable is a variable of OpenSSL and of Go, too: crypto/x509 takes the file for the authorities that it trusts.
const certificateVariable = "SSL_CERT_FILE"

// readEnvironment sets what variables say, unless it is set already. It returns a note about each that sets nothing.
func readEnvironment(values setting.Map, lookup func(string) (string, bool)) (notes []string) {
	for _, v := range Variables() {
		text, given := lookup(v.Name)
		if text = strings.TrimSpace(text); !given || text == "" {
			continue
		}
		if _, key := lookup("SSL_CERT_KEY_FILE"); v.Name == certificateVariable && !key {
			continue // names the authorities that programs trust, elsewhere than in the image
		}
		if v.Setting == "" {
			notes = append(notes, fmt.Sprintf("%s has no effect: %s", v.Name, v.Note))
			continue
		}
		if v.convert != nil {
			text = v.convert(text)
		}
		if values[v.Setting] == "" {
			values[v.Setting] = text
		}
	}
	for name, text := range map[string]string{"access_log": "stdout", "access_log_format": "combined"} { // as the image has them
		if values[name] == "" {
			values[name] = text
		}
	}
	if values["rules"] == "" {
		values["rules"] = withExclusions()
	}
	if values["backend"] == "" {
		values["backend"] = "http://localhost:80" // as the image has it
	}
	if values["tls_cert"] == "" {
		delete(values, "tls_listen")
	} else if values["tls_listen"] == "" {
		values["tls_listen"] = ":8443"
	}
	return notes
}

func port(text string) string {
	if strings.Contains(text, ":") {
		return text
	}
	return net.JoinHostPort("", text)
}

// seconds adds the unit that Apache's numbers lack.
func seconds(text string) string {
	if strings.Trim(text, "0123456789") == "" {
		return text + "s"
	}
	return text
}

// lastSeconds reads a range such as 20-40.
func lastSeconds(text string) string { return seconds(text[strings.LastIndexByte(text, '-')+1:]) }

func verify(text string) string {
	if strings.EqualFold(text, "off") || strings.EqualFold(text, "none") {
		return "off"
	}
	return "on"
}

func networks(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, ",", " ")), ",")
}

func engineMode(text string) string {
	if strings.EqualFold(text, "DetectionOnly") {
		return "detect"
	}
	return strings.ToLower(text)
}

func limitAction(text string) string {
	if strings.EqualFold(text, "ProcessPartial") {
		return server.Partial
	}
	return strings.ToLower(text)
}

// auditEngine returns "" where another variable says where alerts go.
func auditEngine(text string) string {
	if strings.EqualFold(text, "off") {
		return "off"
	}
	return ""
}

func auditLog(text string) string {
	switch text {
	case "/dev/stdout", "/proc/self/fd/1":
		return "stdout"
	case "/dev/null":
		return "off"
	}
	return "file://" + text
}

// accessLog returns the place of an access log. Those of the image itself are links to its standard output.
func accessLog(text string) string {
	switch text {
	case "/dev/stdout", "/proc/self/fd/1", "/var/log/nginx/access.log", "/var/log/apache2/access.log":
		return "stdout"
	case "/dev/stderr", "/proc/self/fd/2":
		return "stderr"
	case "/dev/null":
		return "off"
	}
	return text
}

func auditParts(text string) string {
	if strings.ContainsAny(text, "BCI") {
		return "on"
	}
	return "off"
}

// mounts are the folders in which users of the image mount rules of their own before and behind the Core Rule Set; one is a link to the
// other there.
var mounts = []string{"/etc/modsecurity.d/owasp-crs/rules", "/opt/owasp-crs/rules"}

// withExclusions returns the setting rules with the files that are mounted.
func withExclusions() string {
	sources := []string{mounted("REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"), "crs", mounted("RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf")}
	return strings.Join(slices.DeleteFunc(sources, func(name string) bool { return name == "" }), ",")
}

func mounted(name string) string {
	for _, folder := range mounts {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}
