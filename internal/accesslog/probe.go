package accesslog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// nano is the record of a Nano probe: all values are texts.
func nano(r *Request) map[string]any {
	record := nanoParts(r)
	record["REQ_HEADER"] = r.head()
	record["RSP_HEADER"] = fmt.Sprintf("HTTP/1.1 %d OK\r\nContent-Type: text/html\r\n\r\n", r.Status)
	return record
}

// nanoParts is the record of a probe that does not send raw heads.
func nanoParts(r *Request) map[string]any {
	record := map[string]any{
		"BEGIN_TIME": "2024-05-30 07:16:48.917", "host": "10.64.1.254", "SRC_IP": clientIP, "DST_IP": serverIP,
		"SRC_PORT": fmt.Sprint(clientPort), "DST_PORT": fmt.Sprint(serverPort), "FORWARD": "0.0.0.0", "RETCODE": fmt.Sprint(r.Status),
		"METHOD": r.Method, "URL": r.Target, "DOMAIN": r.Header("Host"), "AGENT": r.Header("User-Agent"), "REQ_BODY": cut(r.Body),
		"RSP_BODY": "", "L7_PROTOCOL": "http", "L4_PROTOCOL": "tcp", "message": "edge",
	}
	if referer := r.Header("Referer"); referer != "" {
		record["REFERER"] = referer
	}
	if cookie := r.Header("Cookie"); cookie != "" {
		record["COOKIE"] = cookie
	}
	return record
}

// cut returns what a probe keeps of a body.
func cut(body string) string { return body[:min(len(body), 1024)] }

// gelf is the record of a probe that sends GELF.
func gelf(r *Request) map[string]any {
	record := map[string]any{"version": "1.1", "short_message": r.Target}
	for key, value := range nano(r) {
		if key != "host" {
			key = "_" + key
		}
		record[key] = value
	}
	return record
}

// suricata is an event of eve.json.
func suricata(r *Request) map[string]any {
	http := map[string]any{
		"hostname": strings.ToLower(r.Header("Host")), "url": r.Target, "http_user_agent": r.Header("User-Agent"),
		"http_method": r.Method, "protocol": r.Protocol, "status": r.Status, "length": 512, "request_headers": r.pairs(),
		"response_headers": []any{map[string]any{"name": "Content-Type", "value": "text/html"}},
	}
	if referer := r.Header("Referer"); referer != "" {
		http["http_refer"] = referer
	}
	if r.Body != "" {
		http["http_request_body"] = base64.StdEncoding.EncodeToString([]byte(r.Body))
	}
	return map[string]any{
		"timestamp": "2024-05-30T07:16:48.917000+0000", "flow_id": 1815286370163217, "event_type": "http", "src_ip": clientIP,
		"src_port": clientPort, "dest_ip": serverIP, "dest_port": serverPort, "proto": "TCP", "tx_id": 0, "http": http,
	}
}

// zeek is a line of http.log in JSON. The target has lost one level of escapes; what is not there is omitted.
func zeek(r *Request) map[string]any {
	record := map[string]any{
		"ts": 1717053408.917, "uid": "CHhAvVGS1DHFjwGM9", "id.orig_h": clientIP, "id.orig_p": clientPort, "id.resp_h": serverIP,
		"id.resp_p": serverPort, "trans_depth": 1, "method": r.Method, "uri": unescaped(r.Target), "version": "1.1",
		"request_body_len": len(r.Body), "response_body_len": 512, "status_code": r.Status, "status_msg": "OK",
	}
	host, _, _ := strings.Cut(r.Header("Host"), ":")
	for key, value := range map[string]string{"host": host, "referrer": r.Header("Referer"), "user_agent": r.Header("User-Agent")} {
		if value != "" {
			record[key] = value
		}
	}
	return record
}

// unescaped takes one level of escapes off a target; what is no escape stays.
func unescaped(target string) string {
	var b strings.Builder
	for i := 0; i < len(target); i++ {
		if target[i] == '%' && i+2 < len(target) {
			if c, err := strconv.ParseUint(target[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(target[i])
	}
	return b.String()
}
