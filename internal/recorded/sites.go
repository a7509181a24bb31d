package recorded

import (
	"context"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// documentation is where Debian's packages of documentation, *-doc, have their pages.
const documentation = "/usr/share/doc"

// Pages returns the paths of documentation in HTML on this machine, in an order that mixes its packages.
func Pages() (pages []string) {
	places := map[string]int{}
	_ = filepath.WalkDir(documentation, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasSuffix(path, ".html") {
			pages = append(pages, strings.TrimPrefix(path, documentation))
		}
		return nil // what cannot be read is skipped
	})
	place := func(page string) string { first, _, _ := strings.Cut(page[1:], "/"); return first }
	number := map[string]int{}
	for _, page := range pages {
		number[page] = places[place(page)]
		places[place(page)]++
	}
	slices.SortStableFunc(pages, func(a, b string) int { return number[a] - number[b] })
	return pages
}

// site is the host in the records of sites.
const site = "www.example.com"

// framesAtOnce is how many pages a browser opens in one go.
const framesAtOnce = 40

// Browse has a headless Chromium open pages with everything that they load.
func Browse(ctx context.Context, pages []string) ([]corpus.Record, error) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	files := http.FileServer(http.Dir(documentation))
	server, err := Serve("browser", site, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			files.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		var from int
		fmt.Sscan(r.URL.RawQuery, &from) //nolint:errcheck // 0 otherwise
		var index strings.Builder
		index.WriteString("<!doctype html><title>Pages</title>\n")
		for _, page := range pages[min(from, len(pages)):min(from+framesAtOnce, len(pages))] {
			fmt.Fprintf(&index, "<iframe src=\"%s\"></iframe>\n", html.EscapeString(page))
		}
		_, _ = io.WriteString(w, index.String()) // who went away wants no answer
	}))
	if err != nil {
		return nil, err
	}
	profile, err := os.MkdirTemp("", "recorded")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(profile) //nolint:errcheck // a folder of temporary files
	for from := 0; from < len(pages) && ctx.Err() == nil; from += framesAtOnce {
		once, cancel := context.WithTimeout(ctx, time.Minute)
		command := exec.CommandContext(once, browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--user-data-dir="+profile, "--virtual-time-budget=20000", "--dump-dom",
			fmt.Sprintf("http://%s/?%d", server.Address, from))
		err = command.Run()
		cancel()
		if err != nil {
			break
		}
	}
	return server.Stop(), err
}

// Crawl has GNU Wget fetch pages, as mirrors and programs that index do.
func Crawl(ctx context.Context, pages []string) ([]corpus.Record, error) {
	if _, err := exec.LookPath("wget"); err != nil {
		return nil, err
	}
	server, err := Serve("crawler", site, http.FileServer(http.Dir(documentation)))
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, "wget", "--quiet", "--output-document=/dev/null", "--input-file=-", "--base=http://"+server.Address)
	command.Stdin = strings.NewReader(strings.Join(pages, "\n"))
	err = command.Run()
	return server.Stop(), err
}
