package accesslog

// Part is where in a request something stands.
type Part string

// The parts of a request that sources log or do not.
const (
	URI       Part = "URI"
	UserAgent Part = "User-Agent"
	Referer   Part = "Referer"
	Cookie    Part = "Cookie"
	AnyHeader Part = "other header"
	Body      Part = "body"
)

// Source is a program that logs requests.
type Source struct {
	Map   string // name of the field map that its records are read with
	Title string
	Logs  []Part // parts that its log has
	// Record returns the fields of the record that comes out of the program's log, keys as a JSON reader or the usual parser
	// gives them.
	Record func(*Request) map[string]any
}

// Has reports whether the source logs a part.
func (s *Source) Has(p Part) bool {
	for _, logged := range s.Logs {
		if logged == p {
			return true
		}
	}
	return false
}

// Sources returns all sources.
func Sources() []Source {
	all := []Part{URI, UserAgent, Referer, Cookie, AnyHeader, Body}
	headers := all[:5]
	return append([]Source{
		{"nano", "Nano probe, raw head", all, nano},
		{"nano", "Nano probe, parsed parts only", []Part{URI, UserAgent, Referer, Cookie, Body}, nanoParts},
		{"gelf", "Nano probe through GELF", all, gelf},
		{"nginx", "nginx, JSON", []Part{URI, UserAgent, Referer, Cookie, Body}, nginxJSON},
		{"fluent-bit-nginx", "nginx, combined", []Part{URI, UserAgent, Referer}, nginxCombined},
		{"k8s-nginx-ingress", "NGINX ingress controller", []Part{URI, UserAgent, Referer}, ingress},
		{"apache", "Apache, combined", []Part{URI, UserAgent, Referer}, apache},
		{"envoy", "Envoy, Istio", []Part{URI, UserAgent}, envoy},
		{"traefik", "Traefik, headers kept", headers, traefik},
		{"haproxy", "HAProxy, Host, User-Agent and Referer captured", []Part{URI, UserAgent, Referer}, haproxy},
		{"caddy", "Caddy", []Part{URI, UserAgent, Referer, AnyHeader}, caddy},
		{"aws-alb", "AWS ALB", []Part{URI, UserAgent}, alb},
		{"aws-waf", "AWS WAF", headers, awsWAF},
		{"suricata", "Suricata, all headers and bodies dumped", all, suricata},
		{"zeek", "Zeek", []Part{URI, UserAgent, Referer}, zeek},
		{"gcp", "Google Cloud load balancer", []Part{URI, UserAgent, Referer}, gcp},
		{"azure", "Azure Application Gateway v2", []Part{URI, UserAgent}, azure},
		{"opentelemetry", "OpenTelemetry", []Part{URI, UserAgent}, opentelemetry},
		{"opentelemetry", "OpenTelemetry, older names", []Part{URI, UserAgent}, oldOpenTelemetry},
		{"ecs", "Elastic's nginx module", []Part{URI, UserAgent, Referer}, ecsNginx},
		{"ingress-nginx", "ingress-nginx, JSON", []Part{URI, UserAgent, Referer}, ingressJSON},
		{"envoy", "Envoy Gateway", []Part{URI, UserAgent}, envoyGateway},
		{"kong", "Kong Gateway", headers, kong},
		{"apisix", "Apache APISIX, bodies logged", all, apisix},
		{"cloudflare", "Cloudflare Logpush", []Part{URI, UserAgent, Referer}, cloudflare},
		{"cloudfront", "Amazon CloudFront", []Part{URI, UserAgent, Referer, Cookie}, cloudFront},
		{"iis", "IIS", []Part{URI, UserAgent, Referer}, iis},
		{"azure-front-door", "Azure Front Door", []Part{URI, UserAgent, Referer}, frontDoor},
	}, lineSources()...)
}
