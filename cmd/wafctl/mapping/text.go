package mapping

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// value returns a value of a record as text, without secrets; what is no text is written as JSON.
func (r *mapped) value(one *fieldmap.Reading) string {
	raw := one.Value
	for _, name := range []string{one.Key, one.Target} {
		raw = r.secrets.AppendMember(nil, raw, name)
	}
	if text, isText := record.Text(raw); isText {
		return text
	}
	return string(alert.JSON(raw))
}

func (m *mapper) text(r *mapped) {
	title := r.place + ": no field map knows these keys"
	if r.isLine {
		title = r.place + ": no field map knows these keys, and the text is not a line of a known format"
	}
	if r.m != nil {
		title = r.place + ": field map " + r.m.Name
		if r.m.Title != "" {
			title += ": " + r.m.Title
		}
		if r.inside != "" {
			title += ", inside " + r.secrets.Text(r.inside)
		}
	}
	fmt.Fprintln(m.to, m.console.Paint(cli.Bold, cli.Printable(title)))
	if len(r.read) > 0 {
		g := cli.NewGrid(m.console, m.to, cli.Column{Title: "  KEY", Width: 36, Least: 16}, cli.Column{Title: "TARGET", Width: 24, Least: 14},
			cli.Column{Title: "VALUE"})
		g.Title()
		for i := range r.read {
			one := &r.read[i]
			g.Row(cli.Cell{Text: "  " + one.Key}, cli.Cell{Text: one.Target}, cli.Cell{Text: r.value(one)})
		}
	}
	if len(r.unread) > 0 {
		fmt.Fprintln(m.to, m.console.Paint(cli.Dim, cli.Printable("  not read: "+r.secrets.Text(strings.Join(r.unread, ", ")))))
	}
	if r.m != nil {
		m.transactionText(r)
	}
	fmt.Fprintln(m.to)
}

// transactionText writes what rules see.
func (m *mapper) transactionText(r *mapped) {
	t := r.tx
	m.section("The rules see")
	if !r.isHTTP {
		fmt.Fprintln(m.to, "  nothing: the record is not an HTTP transaction (another protocol, or no method or request target)")
		return
	}
	if t.Unknown&rules.PartRequest == 0 {
		m.item(strings.TrimSpace(r.secrets.Text(t.Method) + " " + r.secrets.Text(t.URI) + " " + r.secrets.Text(t.Protocol)))
	}
	for _, h := range t.RequestHeaders {
		m.item(r.secrets.Text(h.Name) + ": " + r.secrets.Header(h.Name, h.Value))
	}
	for _, a := range t.Arguments {
		m.item("ARGS:" + r.secrets.Text(a.Name) + " = " + r.secrets.Field(a.Name, a.Value))
	}
	if t.RequestBody != "" {
		m.item("request body: " + r.secrets.Text(t.RequestBody))
	}
	if t.ClientIP != "" || t.ServerIP != "" {
		m.item(fmt.Sprintf("from %s to %s", peer(t.ClientIP, t.ClientPort), peer(t.ServerIP, t.ServerPort)))
	}
	if t.HasResponse {
		m.item("response " + strconv.Itoa(t.ResponseStatus))
		for _, h := range t.ResponseHeaders {
			m.item("  " + r.secrets.Text(h.Name) + ": " + r.secrets.Header(h.Name, h.Value))
		}
	}
	if t.ResponseBody != "" {
		m.item("response body: " + r.secrets.Text(t.ResponseBody))
	}
	if t.Unknown != 0 {
		m.section("Not known from this record")
		m.item(t.Unknown.String())
	}
}

func (m *mapper) section(title string) {
	fmt.Fprintln(m.to, m.console.Paint(cli.Bold, "  "+title))
}

func (m *mapper) item(text string) { fmt.Fprintln(m.to, "    "+cli.Printable(text)) }

func peer(ip string, port int) string {
	switch {
	case ip == "":
		return "an unknown address"
	case port == 0:
		return ip
	case strings.Contains(ip, ":"):
		return fmt.Sprintf("[%s]:%d", ip, port)
	}
	return fmt.Sprintf("%s:%d", ip, port)
}

// JSONMapped is what --output json says of one record. Texts that are not UTF-8 are mended.
type JSONMapped struct {
	Line     int         `json:"line"`
	FieldMap string      `json:"field_map,omitempty"`
	Inside   string      `json:"inside,omitempty"`
	HTTP     bool        `json:"http"`
	Fields   []jsonField `json:"fields"`
	Unread   []string    `json:"unread"`
	Unknown  string      `json:"unknown,omitempty"`
	Method   string      `json:"method,omitempty"`
	URI      string      `json:"uri,omitempty"`
	Protocol string      `json:"protocol,omitempty"`
	Headers  []string    `json:"headers,omitempty"`
	Args     []string    `json:"args,omitempty"`
	Body     string      `json:"body,omitempty"`
	Status   int         `json:"status,omitempty"`
}

type jsonField struct {
	Key    string `json:"key"`
	Target string `json:"target"`
	Value  string `json:"value"`
}

func (m *mapper) json(r *mapped) {
	j := JSONMapped{Line: r.line, Fields: []jsonField{}, Unread: []string{}, HTTP: r.isHTTP}
	for i := range r.read {
		one := &r.read[i]
		j.Fields = append(j.Fields, jsonField{cli.Mend(one.Key), one.Target, cli.Mend(r.value(one))})
	}
	for _, key := range r.unread {
		j.Unread = append(j.Unread, cli.Mend(r.secrets.Text(key)))
	}
	if r.m != nil {
		j.FieldMap, j.Inside = cli.Mend(r.m.Name), r.inside
	}
	if t := r.tx; r.isHTTP {
		j.HTTP = t.Unknown&rules.PartRequest == 0
		clean := func(text string) string { return cli.Mend(r.secrets.Text(text)) }
		j.Method, j.URI, j.Protocol, j.Body = clean(t.Method), clean(t.URI), clean(t.Protocol), clean(t.RequestBody)
		j.Status, j.Unknown = t.ResponseStatus, t.Unknown.String()
		j.Headers, j.Args = lines(t.RequestHeaders, ": ", r.secrets.Header), lines(t.Arguments, "=", r.secrets.Field)
	}
	json.NewEncoder(m.to).Encode(j) //nolint:errcheck // the writer keeps its error until it is flushed
}

func lines(headers []rules.Header, separator string, clean func(name, value string) string) (all []string) {
	for _, h := range headers {
		all = append(all, cli.Mend(h.Name+separator+clean(h.Name, h.Value)))
	}
	return all
}
