package fieldmap

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func closed(contentType, body string) string {
	return string(completeCut(nil, []rules.Header{{Name: "Content-Type", Value: contentType}}, body))
}

const jsonBody = ` {"user":{"name":"Zo\u00eb \ud83d\ude00 Ångström","tags":["a","b\"c",[],{}],"age":-12.5e+3},` +
	`"ok":true,"no":false,"nil":null,"list":[1,[2,[3]],{"x":"y\\"}],"":"","last":0.5} `

func TestJSONCutAnywhereIsClosedToJSON(t *testing.T) {
	require.True(t, json.Valid([]byte(jsonBody)))
	for at := len(` {`); at <= len(jsonBody); at++ {
		got := closed("application/json; charset=utf-8", jsonBody[:at])
		require.True(t, json.Valid([]byte(got)), "cut behind %q: %s", jsonBody[max(0, at-8):at], got)
	}
}

func TestJSONKeepsWhatIsThere(t *testing.T) {
	for cut, want := range map[string]string{
		``:                              ``,
		`{`:                             `{}`,
		`{"a`:                           `{"a":null}`,
		`{"a"`:                          `{"a":null}`,
		`{"a":`:                         `{"a":null}`,
		`{"a":"union sel`:               `{"a":"union sel"}`,
		`{"a":"x","b":["y",`:            `{"a":"x","b":["y"]}`,
		`{"a":"x",`:                     `{"a":"x"}`,
		`{"a":"x` + "\xc3":              `{"a":"x"}`,
		`{"a":"x\`:                      `{"a":"x"}`,
		`{"a":"x\u00e`:                  `{"a":"x"}`,
		`{"a":"x\ud83d`:                 `{"a":"x"}`,
		`{"a":"x\ud83d\ude`:             `{"a":"x"}`,
		`{"a":"x\ud83d\ude00`:           `{"a":"x\ud83d\ude00"}`,
		`{"a":-`:                        `{"a":0}`,
		`{"a":12.`:                      `{"a":12}`,
		`{"a":tr`:                       `{"a":true}`,
		`{"a":[1,{"b":[`:                `{"a":[1,{"b":[]}]}`,
		`[1,2`:                          `[1,2]`,
		`{"a":1}`:                       `{"a":1}`,
		`{"a" "malformed before the cu`: `{"a" "malformed before the cu`,
		`{"a":1}{"a second text`:        `{"a":1}{"a second text`,
		`a=b&c=d`:                       `a=b&c=d`,
	} {
		require.Equal(t, want, closed("application/vnd.api+json", cut), "cut: %s", cut)
	}
}

const xmlBody = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<!-- note --><!DOCTYPE a>` +
	`<a xmlns:b="urn:b"><b:c id="1" title='d "e" &amp; Ångström'>text &lt;with&gt; entities</b:c>` +
	`<d><![CDATA[raw ]] <data>]]></d><empty/>Ålesund</a>`

func TestXMLCutAnywhereIsReadToItsEnd(t *testing.T) {
	for at := range len(xmlBody) + 1 {
		got := closed("text/xml", xmlBody[:at])
		d := xml.NewDecoder(strings.NewReader(got))
		d.Strict = false
		var err error
		for err == nil {
			_, err = d.Token()
		}
		var syntax *xml.SyntaxError
		whole := errors.Is(err, io.EOF) || errors.As(err, &syntax) && syntax.Msg == "unexpected EOF"
		require.True(t, whole, "cut behind %q: %v", xmlBody[max(0, at-8):at], err)
	}
}

func TestXMLKeepsWhatIsThere(t *testing.T) {
	for cut, want := range map[string]string{
		`<a>union sel`:                  `<a>union sel`,
		`<a>x &lt`:                      `<a>x `,
		`<a>x & y`:                      `<a>x & y`,
		"<a>x\xc3":                      `<a>x`,
		`<a b="union sel`:               `<a b="union sel">`,
		`<a b="x" c`:                    `<a b="x">`,
		`<a b="x" c='y`:                 `<a b="x" c='y'>`,
		`<a>x<b`:                        `<a>x`,
		`<a>x</a`:                       `<a>x`,
		`<a><![CDATA[union sel`:         `<a><![CDATA[union sel]]>`,
		`<a><![CDATA[union sel]`:        `<a><![CDATA[union sel]]>`,
		`<a><![CDATA[union sel]]>`:      `<a><![CDATA[union sel]]>`,
		`<a>x<!-- co`:                   `<a>x`,
		`<a>x<![CDA`:                    `<a>x`,
		`<?xml version="1.0"?><a>x</a>`: `<?xml version="1.0"?><a>x</a>`,
	} {
		require.Equal(t, want, closed("application/xml", cut), "cut: %s", cut)
	}
}

const multipartType = `multipart/form-data; boundary="AaB03x"`

var multipartBody = strings.ReplaceAll(`preamble
--AaB03x
Content-Disposition: form-data; name="name"

Larry --AaB03x is no boundary
--AaB03x
Content-Disposition: form-data; name="files"; filename="file1.txt"
Content-Type: text/plain

... contents of file1.txt ...
--
-- dashes
--AaB03x
Content-Type: text/plain
Content-Disposition: form-data; name="empty"


--AaB03x

no headers
--AaB03x--
epilogue`, "\n", "\r\n")

func TestMultipartCutAnywhereIsWhole(t *testing.T) {
	for name, body := range map[string]string{"lines with CRLF": multipartBody, "lines with LF": strings.ReplaceAll(multipartBody, "\r", "")} {
		for at := strings.Index(body, "AaB03x") + len("AaB03x"); at <= len(body); at++ {
			r := multipart.NewReader(strings.NewReader(closed(multipartType, body[:at])), "AaB03x")
			for {
				part, err := r.NextPart()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err, "%s, cut behind %q", name, body[max(0, at-8):at])
				_, err = io.ReadAll(part)
				require.NoError(t, err, "%s, cut behind %q", name, body[max(0, at-8):at])
			}
		}
	}
}

func TestMultipartKeepsWhatIsThere(t *testing.T) {
	const one = "--AaB03x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
	for cut, want := range map[string]string{
		"--AaB":                    "--AaB",
		one + "--AaB03x":           one + "--AaB03x--",
		one + "--AaB03x-":          one + "--AaB03x--",
		one + "--AaB03x--":         one + "--AaB03x--",
		one + "--AaB03x\r\nConten": one + "--AaB03x--",
		one + "--AaB03x\r\nContent-Disposition: form-data; name=\"b\"; filename=\"x.ph": one + "--AaB03x--",
		one + "--AaB03x\r\nContent-Disposition: form-data; name=\"b\"; filename=\"x\"": one +
			"--AaB03x\r\nContent-Disposition: form-data; name=\"b\"; filename=\"x\"\r\n\r\n\r\n--AaB03x--",
		one + "--AaB03x\r\nContent-Disposition: form-data; name=\"b\"\r\nContent-Type: te": one +
			"--AaB03x\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n\r\n--AaB03x--",
		one[:len(one)-2]:                  one + "--AaB03x--",
		one[:len(one)-2] + "\r":           one + "--AaB03x--",
		one + "--AaB0":                    one + "--AaB03x--",
		one[:len(one)-2] + " union sel":   one[:len(one)-2] + " union sel\r\n--AaB03x--",
		"no boundary in " + "these bytes": "no boundary in these bytes",
	} {
		require.Equal(t, want, closed(multipartType, cut), "cut: %q", cut)
	}
}

func TestFormsLoseTheirIncompleteEscape(t *testing.T) {
	for cut, want := range map[string]string{"a=b%": "a=b", "a=b%2": "a=b", "a=b%27": "a=b%27", "a=%27%2": "a=%27", "": ""} {
		require.Equal(t, want, closed("application/x-www-form-urlencoded", cut))
		require.Equal(t, want, closed("", cut))
	}
}

func TestTypesOfBodies(t *testing.T) {
	for contentType, want := range map[string]bodyType{
		"application/json":                        typeJSON,
		"Application/JSON; charset=utf-8":         typeJSON,
		"application/problem+json":                typeJSON,
		"application/soap+xml; charset=utf-8":     typeXML,
		"text/xml":                                typeXML,
		"application/xml":                         typeXML,
		"image/svg+xml":                           typeForm,
		"multipart/form-data; boundary=x":         typeMultipart,
		"multipart/mixed; boundary=x":             typeForm,
		"application/x-www-form-urlencoded":       typeForm,
		"text/plain":                              typeForm,
		"application/octet-stream; x=\"/json\"":   typeForm,
		"text/html; profile=\"application/json\"": typeForm,
		"": typeForm,
	} {
		require.Equal(t, want, bodyTypeOf(contentType), contentType)
	}
}

func FuzzCloseJSON(f *testing.F) {
	f.Add(jsonBody, 20)
	f.Add(`{"a":"\ud83d\u0041"}`, 14)
	f.Add(`[1.5e-3,"é"]`, 6)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			return
		}
		cut := text[:at]
		keep, tail := closeJSON(cut)
		if keep < 0 || keep > len(cut) {
			t.Fatalf("keeps %d of %d bytes", keep, len(cut))
		}
		if json.Valid([]byte(text)) && strings.TrimSpace(cut) != "" && !json.Valid([]byte(cut[:keep]+tail)) {
			t.Fatalf("%q is closed to %q", cut, cut[:keep]+tail)
		}
	})
}

func FuzzClosing(f *testing.F) {
	for i, body := range []string{jsonBody, xmlBody, multipartBody, "a=%27%2"} {
		f.Add(uint8(i), body)
	}
	types := []string{"application/json", "text/xml", multipartType, "multipart/form-data; boundary=-", ""}
	f.Fuzz(func(t *testing.T, kind uint8, body string) {
		contentType := types[int(kind)%len(types)]
		keep, tail := closing(contentType, body)
		if keep < 0 || keep > len(body) || len(tail) > len(body)+100 {
			t.Fatalf("%s: %q keeps %d bytes and gets %q", contentType, body, keep, tail)
		}
	})
}
