package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// page is the answer to a request that does not reach the backend. It says nothing of why: the alert with its id does.
type page struct {
	status int
	id     string // of the alert, "" when there is none
}

// write answers with a page, in JSON for clients that prefer it to HTML.
func (p page) write(w http.ResponseWriter, r *http.Request) {
	title := http.StatusText(p.status)
	if title == "" {
		title = "Blocked"
	}
	body, kind := p.html(title), "text/html; charset=utf-8"
	if wantsJSON(r.Header.Values("Accept")) {
		body, kind = p.json(title), "application/json"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead {
		w.Write(body) //nolint:errcheck // the client may be gone
	}
}

func (p page) html(title string) []byte {
	id := ""
	if p.id != "" {
		id = "<p>If you think this is a mistake, contact the site and give this ID: <code>" + p.id + "</code></p>\n"
	}
	return fmt.Appendf(nil, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%d %s</title>
<body style="font-family: sans-serif; max-width: 40em; margin: 4em auto; padding: 0 1em">
<h1>%[2]s</h1>
%s</body>
</html>
`, p.status, title, id)
}

func (p page) json(title string) []byte {
	text, err := json.Marshal(struct {
		Status int    `json:"status"`
		Error  string `json:"error"`
		ID     string `json:"id,omitempty"`
	}{p.status, title, p.id})
	if err != nil {
		return []byte("{}") // cannot be: numbers and texts have a form in JSON
	}
	return append(text, '\n')
}

// wantsJSON reports whether the first media type that a client accepts, of the two, is JSON.
func wantsJSON(accept []string) bool {
	list := strings.ToLower(strings.Join(accept, ","))
	at := strings.Index(list, "json")
	html := strings.Index(list, "text/html")
	return at >= 0 && (html < 0 || at < html)
}
