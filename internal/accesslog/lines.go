package accesslog

import (
	"fmt"
	"strings"
)

// Line is a format in which a program writes plain lines of requests.
type Line struct {
	Map   string // name of the field map that reads it
	Title string
	Logs  []Part
	Write func(*Request) string
	// Directive stands before the lines, when the format has one.
	Directive string
}

// Lines returns the formats of plain lines.
func Lines() []Line {
	named := []Part{URI, UserAgent, Referer}
	return []Line{
		{"access-log", "plain line, nginx combined", named, nginxLine, ""},
		{"access-log", "plain line, Apache vhost_combined", named, apacheVhostLine, ""},
		{"access-log", "plain line, Apache common", []Part{URI}, apacheCommonLine, ""},
		{"haproxy", "plain line, HAProxy, Host, User-Agent and Referer captured", named, haproxyLine, ""},
		{"envoy", "plain line, Envoy", []Part{URI, UserAgent}, envoyLine, ""},
		{"envoy", "plain line, Istio", []Part{URI, UserAgent}, istioLine, ""},
		{"aws-alb", "plain line, AWS ALB", []Part{URI, UserAgent}, albLine, ""},
		{"iis", "plain line, IIS", named, iisLine, iisDirective},
		{"cloudfront", "plain line, CloudFront", []Part{URI, UserAgent, Referer, Cookie}, cloudFrontLine, cloudFrontDirective},
	}
}

// lineSources returns sources whose records hold a plain line, as Fluent Bit's input tail makes them.
func lineSources() (all []Source) {
	for _, l := range Lines() {
		all = append(all, Source{l.Map, l.Title, l.Logs, func(r *Request) map[string]any { return map[string]any{"log": l.Write(r)} }})
	}
	return all
}

func nginxLine(r *Request) string {
	return fmt.Sprintf(`%s - - [%s] "%s" %d 512 "%s" "%s"`, clientIP, timeCLF, nginxEscaped(r.line()), r.Status,
		nginxEscaped(orDash(r.Header("Referer"))), nginxEscaped(orDash(r.Header("User-Agent"))))
}

func apacheCommonLine(r *Request) string {
	return fmt.Sprintf(`%s - - [%s] "%s" %d 512`, clientIP, timeCLF, apacheEscaped(r.line()), r.Status)
}

func apacheVhostLine(r *Request) string {
	return fmt.Sprintf(`%s:%d %s "%s" "%s"`, r.Header("Host"), serverPort, apacheCommonLine(r),
		apacheEscaped(orDash(r.Header("Referer"))), apacheEscaped(orDash(r.Header("User-Agent"))))
}

func haproxyLine(r *Request) string {
	captured := haproxy(r)["captured_request_headers"].(string)
	return fmt.Sprintf(`<134>May 30 07:16:48 lb1 haproxy[14389]: %s:%d [30/May/2024:07:16:48.655] www~ shop/web1 10/0/30/69/109 %d 512 - - `+
		`---- 1/1/1/1/0 0/0 {%s} {text/html} "%s"`, clientIP, clientPort, r.Status, captured, haproxyEscaped(r.line(), `"#`))
}

// envoyStart is what Envoy's and Istio's lines begin with. Header values have no escapes.
func envoyStart(r *Request) string {
	return fmt.Sprintf(`[%s] "%s %s %s" %d -`, timeISO, r.Method, r.Target, trimVersion(r.Protocol), r.Status)
}

// envoyEnd is sizes, durations and texts; the proxy appends the client to the forwarding list.
func envoyEnd(r *Request, forwarded string) string {
	return fmt.Sprintf(`%d 512 4 3 "%s" "%s" "0e1fd7d1-29f4-4a0e-9d3b-6b2f3c1c7d8a" "%s" "10.1.2.3:8080"`,
		len(r.Body), forwarded, orDash(r.Header("User-Agent")), orDash(r.Header("Host")))
}

func envoyLine(r *Request) string { return envoyStart(r) + " " + envoyEnd(r, clientIP) }

func istioLine(r *Request) string {
	return fmt.Sprintf(`%s via_upstream - "-" %s outbound|8080||shop.default.svc.cluster.local 10.1.2.9:41234 %s:%d %s:%d outbound_.8080_._.shop default`,
		envoyStart(r), envoyEnd(r, "-"), serverIP, serverPort, clientIP, clientPort)
}

func albLine(r *Request) string {
	f := alb(r)
	return fmt.Sprintf(`https %s app/shop/50dc6c495c0c9188 %s %s 0.000 0.001 0.000 %d %d 431 512 "%s" "%s" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 `+
		`arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop/73e2d6bc24d8a067 "Root=1-58337262-36d228ad5d99923122bbe354" "%s" `+
		`"arn:aws:acm:eu-west-1:111122223333:certificate/12345678" 1 %s "forward" "-" "-" "10.1.2.3:8080" "200" "-" "-" TID_1234`,
		timeISO, f["client:port"], f["target:port"], r.Status, r.Status, f["request"], f["user_agent"], r.Header("Host"), timeISO)
}

const iisDirective = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) " +
	"sc-status sc-substatus sc-win32-status time-taken"

// iisLine has the path without its escapes, and plus signs for spaces.
func iisLine(r *Request) string {
	path, query := r.pathAndQuery()
	plus := strings.NewReplacer(" ", "+", "\r", "+", "\n", "+", "\t", "+")
	return fmt.Sprintf("2024-05-30 07:16:48 %s %s %s %s %d - %s %s %s %d 0 0 15", serverIP, r.Method, plus.Replace(unescaped(path)),
		orDash(plus.Replace(query)), serverPort, clientIP, orDash(plus.Replace(r.Header("User-Agent"))), orDash(plus.Replace(r.Header("Referer"))), r.Status)
}

const cloudFrontDirective = "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) " +
	"cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken " +
	"x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port " +
	"time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"

// cloudFrontLine has escapes on top of those of the client.
func cloudFrontLine(r *Request) string {
	path, query := r.pathAndQuery()
	coded := func(s string) string { return orDash(cloudFrontEscaped(s)) }
	return strings.Join([]string{"2024-05-30", "07:16:48", "FRA50-C1", "512", clientIP, r.Method, "d111111abcdef8.cloudfront.net", coded(path),
		fmt.Sprint(r.Status), coded(r.Header("Referer")), coded(r.Header("User-Agent")), coded(query), coded(r.Header("Cookie")), "Miss",
		"SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==", coded(r.Header("Host")), "https", "431", "0.004", "-", "TLSv1.3",
		"TLS_AES_128_GCM_SHA256", "Miss", r.Protocol, "-", "-", fmt.Sprint(clientPort), "0.004", "Miss", "text/html", "512", "-", "-"}, "\t")
}

// cloudFrontEscaped writes a text as CloudFront does: with %XX for what does not print and for some signs, among them the percent sign.
func cloudFrontEscaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"#%{}|\\^~[]`'", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
