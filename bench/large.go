package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// largeBody is the size in bytes from which a large body is long enough.
const largeBody = 10_000

var words = strings.Fields("account address amount article balance blue bottle branch business calendar carton chair city color " +
	"comment company contact contract copper country customer delivery department discount engine evening factory family " +
	"flower garden glass green harbor history invoice island kitchen label language letter library machine market meeting " +
	"message morning mountain museum number office orange paper payment pencil person picture planet pocket product project " +
	"quality quarter question reason receipt region report river season service shelf silver station street student summer " +
	"supplier ticket tomorrow tractor traffic village warehouse weather window winter yellow")

// phrase returns some words and numbers.
func phrase(d *rand.Rand, n int) string {
	picked := make([]string, n)
	for i := range picked {
		if picked[i] = words[d.IntN(len(words))]; d.IntN(6) == 0 {
			picked[i] = fmt.Sprint(d.IntN(10_000))
		}
	}
	return strings.Join(picked, " ")
}

// form returns transaction number i with a large form.
func form(i uint64) corpus.Record {
	d := rand.New(rand.NewPCG(3, i))
	var b strings.Builder
	for n := 0; b.Len() < largeBody; n++ {
		if n > 0 {
			b.WriteByte('&')
		}
		fmt.Fprintf(&b, "%s_%d=%s", words[d.IntN(len(words))], n, url.QueryEscape(phrase(d, 1+d.IntN(12))))
	}
	return posted(i, "application/x-www-form-urlencoded", b.String())
}

// document returns transaction number i with a large JSON document.
func document(i uint64) corpus.Record {
	d := rand.New(rand.NewPCG(4, i))
	var b strings.Builder
	b.WriteString(`{"items":[`)
	for n := 0; b.Len() < largeBody; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":%q,"count":%d,"note":%q}`, d.IntN(1_000_000), phrase(d, 2), d.IntN(50), phrase(d, 1+d.IntN(12)))
	}
	b.WriteString("]}")
	return posted(i, "application/json", b.String())
}

// posted returns a transaction that sends a body.
func posted(i uint64, mediaType, body string) corpus.Record {
	r := corpus.Record{
		Begin: "2024-05-30 07:16:48.000", Method: "POST", Target: fmt.Sprintf("/orders/%d", i), Host: "api.example.com", Status: 200,
		SrcIP: "203.0.113.7", DstIP: "10.0.0.5", SrcPort: 40_000, DstPort: 80, RequestBody: body,
		Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", ResponseBody: `{"ok":true}`,
		ResponseHead: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n",
	}
	r.RequestHead = fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		r.Target, r.Host, r.Agent, mediaType, len(body))
	return r
}
