package accesslog

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// nginxJSON is a log_format with escape=json and the variables that published configurations use; what is not there is empty.
func nginxJSON(r *Request) map[string]any {
	path, query := r.pathAndQuery()
	return map[string]any{
		"time_iso8601": timeISO, "remote_addr": clientIP, "remote_port": fmt.Sprint(clientPort), "server_addr": serverIP,
		"server_port": fmt.Sprint(serverPort), "request_method": r.Method, "request_uri": r.Target, "uri": path, "args": query,
		"server_protocol": r.Protocol, "host": strings.ToLower(r.Header("Host")), "http_user_agent": r.Header("User-Agent"),
		"http_referer": r.Header("Referer"), "http_cookie": r.Header("Cookie"), "http_x_forwarded_for": r.Header("X-Forwarded-For"),
		"content_type": r.Header("Content-Type"), "request_body": r.Body, "status": fmt.Sprint(r.Status), "body_bytes_sent": "512",
		"request_time": "0.004",
	}
}

// nginxCombined is a line in nginx's combined format, read by the parser nginx.
func nginxCombined(r *Request) map[string]any {
	f := r.clf(nginxEscaped)
	return map[string]any{"remote": f.client, "host": "-", "user": "-", "method": f.method, "path": f.target, "code": f.status,
		"size": "512", "referer": f.referer, "agent": f.agent}
}

// ingress is a line of Kubernetes' NGINX ingress controller, read by the parser k8s-nginx-ingress.
func ingress(r *Request) map[string]any {
	f := r.clf(nginxEscaped)
	return map[string]any{"host": f.client, "user": "-", "method": f.method, "path": f.target, "code": f.status, "size": "512",
		"referer": f.referer, "agent": f.agent, "request_length": "431", "request_time": "0.004", "proxy_upstream_name": "shop-web-80",
		"upstream_addr": "10.1.2.3:8080", "upstream_response_length": "512", "upstream_response_time": "0.004", "upstream_status": f.status,
		"reg_id": "1b2c3d4e"}
}

// apache is a line in Apache's combined format, read by the parser apache2.
func apache(r *Request) map[string]any {
	f := r.clf(apacheEscaped)
	return map[string]any{"host": f.client, "user": "-", "method": f.method, "path": f.target, "code": f.status, "size": "512",
		"referer": f.referer, "agent": f.agent}
}

// traefik is a line of Traefik's JSON access log with fields.headers.defaultMode keep.
func traefik(r *Request) map[string]any {
	record := map[string]any{
		"ClientAddr": fmt.Sprintf("%s:%d", clientIP, clientPort), "ClientHost": clientIP, "ClientPort": fmt.Sprint(clientPort),
		"DownstreamStatus": r.Status, "RequestAddr": r.Header("Host"), "RequestHost": r.Header("Host"), "RequestMethod": r.Method,
		"RequestPath": printed(r.Target), "RequestPort": "-", "RequestProtocol": r.Protocol, "RequestScheme": "https",
		"StartUTC": timeISO, "downstream_Content-Type": "text/html", "level": "info", "msg": "",
	}
	for name, values := range r.lists() {
		record["request_"+name] = printed(values.([]any)[0].(string))
	}
	return record
}

// caddy is a line of Caddy's JSON access log. Credentials are redacted by default.
func caddy(r *Request) map[string]any {
	headers := r.lists()
	for name, values := range headers {
		for i, value := range values.([]any) {
			values.([]any)[i] = printed(value.(string))
		}
		if name == "Cookie" || name == "Authorization" {
			headers[name] = []any{"REDACTED"}
		}
	}
	return map[string]any{
		"level": "info", "ts": 1717053408.917, "logger": "http.log.access.log0", "msg": "handled request",
		"request": map[string]any{"remote_ip": clientIP, "remote_port": fmt.Sprint(clientPort), "client_ip": clientIP,
			"proto": r.Protocol, "method": r.Method, "host": r.Header("Host"), "uri": printed(r.Target), "headers": headers},
		"bytes_read": len(r.Body), "user_id": "", "duration": 0.004, "size": 512, "status": r.Status,
		"resp_headers": map[string]any{"Server": []any{"Caddy"}, "Content-Type": []any{"text/html"}},
	}
}

// printed is a text as Go programs write it to JSON: what is not UTF-8 is replaced.
func printed(s string) string { return strings.ToValidUTF8(s, string(utf8.RuneError)) }
