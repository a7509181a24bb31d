package main

import (
	"encoding/binary"
	"fmt"
	"net/url"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// ablationSet is a kind of traffic on which features are compared. No event of a set comes twice, but for those of repeated requests.
type ablationSet struct {
	name  string
	size  int // events of a turn, some milliseconds
	event func(i uint64) []byte
}

var ablationSets = []ablationSet{
	{"Nano", 100, func(i uint64) []byte { return event(corpus.Clean(1<<45 + i)) }},
	{"nginx", 200, func(i uint64) []byte { return accessLog(corpus.Clean(1<<46 + i)) }},
	{"Nano, again", 500, func(i uint64) []byte { r := corpus.Clean(i % repeated); return event(r.Again(i)) }},
	{"Nano, IP hosts", 100, func(i uint64) []byte { return event(byAddress(1<<47 + i)) }},
	{"10 kB bodies", 4, func(i uint64) []byte {
		if i%2 == 0 {
			return event(form(usualSize)(1<<43 + i))
		}
		return event(document(usualSize)(1<<43 + i))
	}},
	{"attacks", 10, func(i uint64) []byte { return event(corpus.Attack(1<<48 + i)) }},
	{"scanner", 20, func(i uint64) []byte { return accessLog(probe(1<<49 + i)) }},
}

// byAddress returns a page that is asked for by the address of the server: CRS takes that for a violation, but alone it does not alert.
func byAddress(i uint64) corpus.Record {
	r := page(i)
	r.Host = fmt.Sprintf("10.0.%d.%d", i%7, i%250)
	r.RequestHead = fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: text/html\r\n\r\n", r.Target, r.Host, r.Agent)
	return r
}

// accessLog returns a record as nginx logs it in JSON with the fields of its format "combined".
func accessLog(r corpus.Record) []byte {
	b := []byte{0x92, 0x92, 0xd7, 0x00}
	b = binary.BigEndian.AppendUint64(b, 1717053408<<32)
	b = append(b, 0x80)
	fields := []string{"time_iso8601", "2024-05-30T07:16:48+00:00", "remote_addr", r.SrcIP, "remote_user", "", "request", r.Method + " " + r.Target + " HTTP/1.1",
		"status", fmt.Sprint(r.Status), "body_bytes_sent", fmt.Sprint(len(r.ResponseBody)), "http_referer", r.Referer, "http_user_agent", r.Agent}
	b = msgp.AppendMapHeader(b, uint32(len(fields)/2))
	for _, text := range fields {
		b = msgp.AppendString(b, text)
	}
	return b
}

// probed is what scanners ask servers for, with a number that makes requests differ.
var probed = []string{"/%d/.env", "/%d/wp-login.php", "/%d/.git/config", "/phpmyadmin/index.php?lang=en&r=%d", "/admin.php?id=%d", "/api/v1/users/%d",
	"/cgi-bin/luci/;stok=/locale?form=country&n=%d", "/actuator/env?t=%d", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php?%d",
	"/search?n=%d&q=" + url.QueryEscape("1' OR '1'='1"), "/download?n=%d&file=../../../../etc/passwd", "/?n=%d&q=" + url.QueryEscape("<script>alert(1)</script>")}

// probe returns a scanner's request.
func probe(i uint64) corpus.Record {
	agents := []string{"Mozilla/5.0 zgrab/0.x", "python-requests/2.31.0", "curl/8.5.0", "Nikto/2.5.0", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
	return corpus.Record{Method: "GET", Target: fmt.Sprintf(probed[i%uint64(len(probed))], i), Status: 404, SrcIP: "203.0.113.7", Agent: agents[i%uint64(len(agents))]}
}
