package accesslog

import (
	"fmt"
	"net/url"
	"strings"
)

const timeMillis = 1717053408917

// envoyGateway is the default access log of Envoy Gateway in JSON.
func envoyGateway(r *Request) map[string]any {
	return map[string]any{
		"start_time": timeISO, "method": r.Method, "x-envoy-origin-path": r.Target, "protocol": trimVersion(r.Protocol), "response_code": r.Status,
		"response_flags": "-", "response_code_details": "via_upstream", "connection_termination_details": nil, "bytes_received": len(r.Body),
		"bytes_sent": 512, "duration": 4, "x-forwarded-for": clientIP, "user-agent": orNil(r.Header("User-Agent")),
		"x-request-id": "0e1fd7d1-29f4-4a0e-9d3b-6b2f3c1c7d8a", ":authority": r.Header("Host"), "upstream_host": "10.1.2.3:8080",
		"upstream_cluster": "httproute/shop/rule/0", "downstream_local_address": "10.42.0.77:10443", "requested_server_name": nil,
		"downstream_remote_address": fmt.Sprintf("%s:%d", clientIP, clientPort), "route_name": "httproute/shop/rule/0",
	}
}

// ingressJSON is the log format in JSON that the documentation of ingress-nginx gives. The path is nginx's $uri, without escapes.
func ingressJSON(r *Request) map[string]any {
	path, query := r.pathAndQuery()
	return map[string]any{
		"time": timeISO, "remote_addr": clientIP, "x_forwarded_for": clientIP, "request_id": "3bbc", "remote_user": "", "bytes_sent": 512,
		"request_time": 0.004, "status": r.Status, "vhost": r.Header("Host"), "request_proto": r.Protocol, "path": plainPath(path),
		"request_query": query, "request_length": 431, "duration": 0.004, "method": r.Method, "http_referrer": r.Header("Referer"),
		"http_user_agent": r.Header("User-Agent"),
	}
}

// plainPath returns a path without its escapes; one that has malformed ones stays.
func plainPath(path string) string {
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}

// kong is a record of Kong's plugins that log: of a header that came several times it has the first value.
func kong(r *Request) map[string]any {
	record := gatewayRecord(r)
	record["started_at"] = timeMillis
	record["latencies"] = map[string]any{"request": 4, "kong": 1, "proxy": 3}
	record["service"] = map[string]any{"name": "shop", "host": "shop.internal"}
	record["upstream_uri"] = r.Target
	return record
}

// apisix is a record of APISIX's loggers.
func apisix(r *Request) map[string]any {
	record := gatewayRecord(r)
	record["start_time"] = timeMillis
	record["route_id"] = "1"
	record["apisix_latency"] = 1
	record["server"] = map[string]any{"hostname": "apisix-0", "version": "3.9.0"}
	if r.Body != "" {
		record["request"].(map[string]any)["body"] = r.Body
	}
	return record
}

func gatewayRecord(r *Request) map[string]any {
	headers := map[string]any{}
	for _, h := range r.Headers {
		if name := strings.ToLower(h.Name); headers[name] == nil {
			headers[name] = h.Value
		}
	}
	return map[string]any{
		"client_ip": clientIP,
		"request": map[string]any{"method": r.Method, "uri": r.Target, "url": "https://" + r.Header("Host") + ":443" + r.Target,
			"size": 431, "headers": headers, "querystring": map[string]any{}},
		"response": map[string]any{"status": r.Status, "size": 512, "headers": map[string]any{"content-type": "text/html"}},
	}
}

// cloudflare is a record of Cloudflare's Logpush with common fields.
func cloudflare(r *Request) map[string]any {
	path, _ := r.pathAndQuery()
	return map[string]any{
		"ClientIP": clientIP, "ClientSrcPort": clientPort, "ClientRequestHost": r.Header("Host"), "ClientRequestMethod": r.Method,
		"ClientRequestURI": r.Target, "ClientRequestPath": path, "ClientRequestProtocol": r.Protocol,
		"ClientRequestUserAgent": r.Header("User-Agent"), "ClientRequestReferer": r.Header("Referer"), "EdgeStartTimestamp": timeISO,
		"EdgeResponseStatus": r.Status, "EdgeResponseBytes": 512, "OriginIP": "10.1.2.3", "RayID": "8a1b2c3d4e5f6a7b",
		"SecurityAction": "", "SecurityActions": []any{},
	}
}

// cloudFront is a line of CloudFront's standard log, cut at its tabs.
func cloudFront(r *Request) map[string]any {
	path, query := r.pathAndQuery()
	coded := func(s string) string { return orDash(cloudFrontEscaped(s)) }
	return map[string]any{
		"date": "2024-05-30", "time": "07:16:48", "x-edge-location": "FRA60-P1", "sc-bytes": "512", "c-ip": clientIP, "cs-method": r.Method,
		"cs(Host)": "d111111abcdef8.cloudfront.net", "cs-uri-stem": coded(path), "sc-status": fmt.Sprint(r.Status),
		"cs(Referer)": coded(r.Header("Referer")), "cs(User-Agent)": coded(r.Header("User-Agent")),
		"cs-uri-query": coded(query), "cs(Cookie)": coded(r.Header("Cookie")), "x-edge-result-type": "Miss",
		"x-host-header": coded(r.Header("Host")), "cs-protocol": "https", "x-forwarded-for": "-", "cs-protocol-version": r.Protocol,
		"c-port": fmt.Sprint(clientPort), "x-edge-detailed-result-type": "Miss",
	}
}

// iis is a line of IIS with its default fields and the host, cut at its spaces. IIS writes + for spaces, and the path without escapes.
func iis(r *Request) map[string]any {
	path, query := r.pathAndQuery()
	plus := func(s string) string { return orDash(strings.ReplaceAll(s, " ", "+")) }
	return map[string]any{
		"date": "2024-05-30", "time": "07:16:48", "s-ip": serverIP, "cs-method": r.Method, "cs-uri-stem": plainPath(path),
		"cs-uri-query": orDash(query), "s-port": "443", "cs-username": "-", "c-ip": clientIP, "cs-version": r.Protocol,
		"cs(User-Agent)": plus(r.Header("User-Agent")), "cs(Referer)": plus(r.Header("Referer")), "cs-host": r.Header("Host"),
		"sc-status": fmt.Sprint(r.Status), "sc-substatus": "0", "sc-win32-status": "0", "time-taken": "15",
	}
}

// frontDoor is an access log record of Azure Front Door.
func frontDoor(r *Request) map[string]any {
	return map[string]any{
		"time": timeISO, "category": "FrontDoorAccessLog", "operationName": "Microsoft.Cdn/Profiles/AccessLog/Write",
		"properties": map[string]any{"trackingReference": "0abc", "httpMethod": r.Method, "httpVersion": trimVersion(r.Protocol) + "",
			"requestUri": "https://" + r.Header("Host") + ":443" + r.Target, "sni": "shop.example.com", "userAgent": r.Header("User-Agent"),
			"clientIp": clientIP, "clientPort": fmt.Sprint(clientPort), "socketIp": clientIP, "timeTaken": "0.004", "requestProtocol": "HTTPS",
			"httpStatusCode": fmt.Sprint(r.Status), "hostName": r.Header("Host"), "referer": r.Header("Referer"), "originIp": "10.1.2.3:443"},
	}
}

// ecsNginx is a record of Elastic's module for nginx.
func ecsNginx(r *Request) map[string]any {
	path, query := r.pathAndQuery()
	request := map[string]any{"method": r.Method}
	if referer := r.Header("Referer"); referer != "" {
		request["referrer"] = referer
	}
	u := map[string]any{"original": r.Target, "path": plainPath(path)}
	if query != "" {
		u["query"] = query
	}
	return map[string]any{
		"@timestamp": timeISO, "ecs": map[string]any{"version": "8.11.0"}, "event": map[string]any{"dataset": "nginx.access", "module": "nginx"},
		"http": map[string]any{"request": request, "response": map[string]any{"status_code": r.Status, "body": map[string]any{"bytes": 512}},
			"version": r.Protocol[len("HTTP/"):]},
		"url": u, "source": map[string]any{"ip": clientIP, "address": clientIP}, "user_agent": map[string]any{"original": r.Header("User-Agent")},
		"host": map[string]any{"hostname": "web1"},
	}
}

// oldOpenTelemetry is a log record whose attributes follow the conventions of before version 1.23.
func oldOpenTelemetry(r *Request) map[string]any {
	return map[string]any{
		"timestamp": timeISO, "attributes": map[string]any{
			"http.method": r.Method, "http.target": r.Target, "http.scheme": "https", "http.flavor": r.Protocol[len("HTTP/"):],
			"http.host": r.Header("Host"), "http.status_code": r.Status, "http.user_agent": r.Header("User-Agent"),
			"http.client_ip": clientIP, "net.sock.peer.addr": "10.1.2.3", "net.host.port": serverPort,
		},
	}
}
