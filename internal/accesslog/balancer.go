package accesslog

import "fmt"

// envoy is Istio's default access log in JSON; what is not there is null.
func envoy(r *Request) map[string]any {
	return map[string]any{
		"start_time": timeISO, "method": r.Method, "path": r.Target, "protocol": trimVersion(r.Protocol), "response_code": r.Status,
		"response_flags": "-", "bytes_received": len(r.Body), "bytes_sent": 512, "duration": 4, "x_forwarded_for": nil,
		"user_agent": orNil(r.Header("User-Agent")), "request_id": "0e1fd7d1-29f4-4a0e-9d3b-6b2f3c1c7d8a", "authority": r.Header("Host"),
		"upstream_host": "10.1.2.3:8080", "downstream_local_address": fmt.Sprintf("%s:%d", serverIP, serverPort),
		"downstream_remote_address": fmt.Sprintf("%s:%d", clientIP, clientPort), "route_name": "default",
	}
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// trimVersion writes HTTP/2 without a minor version.
func trimVersion(protocol string) string {
	if protocol == "HTTP/2.0" {
		return "HTTP/2"
	}
	return protocol
}

// haproxy is a line of HAProxy's HTTP log with three captured headers, read by a parser with the usual names.
func haproxy(r *Request) map[string]any {
	captured := ""
	for i, name := range []string{"Host", "User-Agent", "Referer"} {
		if i > 0 {
			captured += "|"
		}
		captured += haproxyEscaped(r.Header(name), `"#{|}`)
	}
	return map[string]any{
		"client_ip": clientIP, "client_port": fmt.Sprint(clientPort), "accept_date": timeCLF, "frontend_name": "www", "backend_name": "shop",
		"server_name": "web1", "http_status_code": fmt.Sprint(r.Status), "bytes_read": "512", "captured_request_cookie": "-",
		"captured_response_cookie": "-", "termination_state": "----", "captured_request_headers": captured,
		"captured_response_headers": "text/html", "http_verb": r.Method, "http_request": haproxyEscaped(r.Target, `"#`),
		"http_version": r.Protocol[len("HTTP/"):],
	}
}

// alb is a line of an AWS Application Load Balancer, cut at the names that AWS gives the fields.
func alb(r *Request) map[string]any {
	return map[string]any{
		"type": "https", "time": timeISO, "elb": "app/shop/50dc6c495c0c9188", "client:port": fmt.Sprintf("%s:%d", clientIP, clientPort),
		"target:port": "10.1.2.3:8080", "request_processing_time": "0.000", "elb_status_code": fmt.Sprint(r.Status),
		"target_status_code": fmt.Sprint(r.Status), "received_bytes": "431", "sent_bytes": "512",
		"request":    nginxEscaped(fmt.Sprintf("%s https://%s:443%s %s", r.Method, r.Header("Host"), r.Target, r.Protocol)),
		"user_agent": orDash(nginxEscaped(r.Header("User-Agent"))), "ssl_cipher": "ECDHE-RSA-AES128-GCM-SHA256", "ssl_protocol": "TLSv1.2",
		"domain_name": r.Header("Host"),
	}
}

// awsWAF is a record of AWS WAF.
func awsWAF(r *Request) map[string]any {
	path, query := r.pathAndQuery()
	return map[string]any{
		"timestamp": 1717053408917, "formatVersion": 1, "webaclId": "arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/shop/a1b2",
		"terminatingRuleId": "Default_Action", "action": "ALLOW", "httpSourceName": "ALB", "responseCodeSent": nil,
		"httpRequest": map[string]any{"clientIp": clientIP, "country": "DE", "headers": r.pairs(), "uri": path, "args": query,
			"httpVersion": r.Protocol, "httpMethod": r.Method, "requestId": "1-66582ca0-2a9d"},
	}
}

// gcp is a log entry of Google Cloud's load balancer. Empty fields are omitted.
func gcp(r *Request) map[string]any {
	request := map[string]any{
		"requestMethod": r.Method, "requestUrl": "https://" + r.Header("Host") + r.Target, "requestSize": "431", "status": r.Status,
		"responseSize": "512", "remoteIp": clientIP, "serverIp": "10.1.2.3", "latency": "0.004s", "protocol": trimVersion(r.Protocol),
	}
	for key, header := range map[string]string{"userAgent": "User-Agent", "referer": "Referer"} {
		if value := r.Header(header); value != "" {
			request[key] = value
		}
	}
	return map[string]any{
		"insertId": "1a2b3c", "timestamp": timeISO, "severity": "INFO", "logName": "projects/shop/logs/requests", "httpRequest": request,
		"resource": map[string]any{"type": "http_load_balancer", "labels": map[string]any{"forwarding_rule_name": "shop"}},
	}
}

// azure is a diagnostic record of an Azure Application Gateway v2.
func azure(r *Request) map[string]any {
	path, query := r.pathAndQuery()
	return map[string]any{
		"timeStamp": timeISO, "category": "ApplicationGatewayAccessLog", "operationName": "ApplicationGatewayAccess",
		"properties": map[string]any{"instanceId": "appgw_1", "clientIP": clientIP, "clientPort": fmt.Sprint(clientPort),
			"httpMethod": r.Method, "originalRequestUriWithArgs": r.Target, "requestUri": path, "requestQuery": query,
			"userAgent": r.Header("User-Agent"), "httpStatus": r.Status, "httpVersion": r.Protocol, "receivedBytes": 431, "sentBytes": 512,
			"sslEnabled": "on", "serverRouted": "10.1.2.3:8080", "serverStatus": "200", "host": r.Header("Host"),
			"originalHost": r.Header("Host")},
	}
}

// opentelemetry is a log record whose attributes follow the semantic conventions for HTTP servers.
func opentelemetry(r *Request) map[string]any {
	path, query := r.pathAndQuery()
	record := map[string]any{
		"http.request.method": r.Method, "url.path": path, "url.scheme": "https", "network.protocol.name": "http",
		"network.protocol.version": r.Protocol[len("HTTP/"):], "client.address": clientIP, "client.port": clientPort,
		"server.address": r.Header("Host"), "server.port": serverPort, "http.response.status_code": r.Status, "http.route": "/{path}",
		"http.request.header.accept-language": []any{r.Header("Accept-Language")},
	}
	if query != "" {
		record["url.query"] = query
	}
	if agent := r.Header("User-Agent"); agent != "" {
		record["user_agent.original"] = agent
	}
	return record
}
