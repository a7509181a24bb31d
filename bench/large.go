package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// usualSize is the size in bytes of the smaller ones of large bodies.
const usualSize = 10_000

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

// largeText is how a large body is written. Larger ones have longer parts, not more of them.
type largeText struct {
	seed                uint64
	begin, between, end string
	part                func(d *rand.Rand, n, times int) string
}

// of returns the text of a number with a size in bytes.
func (l *largeText) of(size int, i uint64) string {
	d := rand.New(rand.NewPCG(l.seed, i))
	var b strings.Builder
	b.WriteString(l.begin)
	for n := 0; b.Len() < size; n++ {
		if n > 0 {
			b.WriteString(l.between)
		}
		b.WriteString(l.part(d, n, size/usualSize))
	}
	return b.String() + l.end
}

var (
	formText = largeText{3, "", "&", "", func(d *rand.Rand, n, times int) string {
		return fmt.Sprintf("%s_%d=%s", words[d.IntN(len(words))], n, url.QueryEscape(phrase(d, times*(1+d.IntN(12)))))
	}}
	documentText = largeText{4, `{"items":[`, ",", "]}", func(d *rand.Rand, _, times int) string {
		return fmt.Sprintf(`{"id":%d,"name":%q,"count":%d,"note":%q}`, d.IntN(1_000_000), phrase(d, 2), d.IntN(50), phrase(d, times*(1+d.IntN(12))))
	}}
	multipartText = largeText{5, "", "", "--b0undary--\r\n", func(d *rand.Rand, n, times int) string {
		return fmt.Sprintf("--b0undary\r\nContent-Disposition: form-data; name=\"%s_%d\"\r\n\r\n%s\r\n", words[d.IntN(len(words))], n, phrase(d, times*(1+d.IntN(24))))
	}}
	markupText = largeText{6, "<?xml version=\"1.0\"?><orders>", "", "</orders>", func(d *rand.Rand, _, times int) string {
		return fmt.Sprintf("<order number=\"%d\"><item>%s</item><note>%s</note></order>", d.IntN(1_000_000), phrase(d, 2), phrase(d, times*(1+d.IntN(12))))
	}}
	pageText = largeText{7, "<!DOCTYPE html><html><head><title>Orders</title></head><body>", "", "</body></html>\n", func(d *rand.Rand, _, _ int) string {
		return fmt.Sprintf("<h2 class=\"title\">%s</h2><p>%s.</p>\n", phrase(d, 3), phrase(d, 1+d.IntN(60)))
	}}
)

// Each of these returns a transaction of a number with a large body of a size in bytes.

func form(size int) func(i uint64) corpus.Record {
	return posts(&formText, "application/x-www-form-urlencoded", size)
}

func document(size int) func(i uint64) corpus.Record {
	return posts(&documentText, "application/json", size)
}

func multipart(size int) func(i uint64) corpus.Record {
	return posts(&multipartText, "multipart/form-data; boundary=b0undary", size)
}

func markup(size int) func(i uint64) corpus.Record { return posts(&markupText, "text/xml", size) }

func posts(l *largeText, mediaType string, size int) func(i uint64) corpus.Record {
	return func(i uint64) corpus.Record { return posted(i, mediaType, l.of(size, i)) }
}

// response returns pages of a size that end with a text.
func response(size int, end string) func(i uint64) corpus.Record {
	return func(i uint64) corpus.Record {
		r := posted(i, "application/json", `{"page":1}`)
		r.ResponseBody = pageText.of(size, i) + end
		r.ResponseHead = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n", len(r.ResponseBody))
		return r
	}
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
