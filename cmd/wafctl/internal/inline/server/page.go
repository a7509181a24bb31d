package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Page is the answer to a request that does not reach the backend. It says nothing of why: the alert with its id does.
type Page struct {
	Status int
	ID     string // of the alert, "" when there is none
}

// Render returns the page and its media type, in JSON for clients that prefer it to HTML.
func (p Page) Render(accept []string) (body []byte, kind string) {
	title := http.StatusText(p.Status)
	if title == "" {
		title = "Blocked"
	}
	if wantsJSON(accept) {
		return p.json(title), "application/json"
	}
	return p.html(title), "text/html; charset=utf-8"
}

// Write answers with the page.
func (p Page) Write(w http.ResponseWriter, r *http.Request) {
	body, kind := p.Render(r.Header.Values("Accept"))
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		w.Write(body) //nolint:errcheck // the client may be gone
	}
}

func (p Page) html(title string) []byte {
	id := ""
	if p.ID != "" {
		id = "<p>If you think this is a mistake, contact the site and give this ID: <code>" + p.ID + "</code></p>\n"
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
`, p.Status, title, id)
}

func (p Page) json(title string) []byte {
	text, err := json.Marshal(struct {
		Status int    `json:"status"`
		Error  string `json:"error"`
		ID     string `json:"id,omitempty"`
	}{p.Status, title, p.ID})
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
