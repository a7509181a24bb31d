package report

import (
	"context"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// TestBrowserShowsThePageInBothColorSchemes opens a page with hostile texts in Chromium: the style must pass the page's own
// policy, follow the color scheme, and nothing may be loaded.
func TestBrowserShowsThePageInBothColorSchemes(t *testing.T) {
	browser := testtool.Program(t, "chromium", "chromium")
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	d := NewDigest()
	for i := range 50 {
		a := attack(i)
		a.URI = `"><img src="` + server.URL + `/a"><script src="` + server.URL + `/b"></script><style>body{background:url(` + server.URL + `/c)}`
		d.Add(a)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "page.html")
	require.NoError(t, os.WriteFile(path, []byte(written(t, d, Head{Records: 60, MadeBy: `<img src="` + server.URL + `/d">`})), 0o600))
	for setting, want := range map[string]color.NRGBA{"0": {0x11, 0x15, 0x1c, 0xff}, "1": {0xf4, 0xf5, 0xf7, 0xff}} {
		shown := screenshot(t, browser, path, filepath.Join(dir, setting+".png"), setting)
		require.Equal(t, want, color.NRGBAModel.Convert(shown.At(2, 2)), "background with the color scheme %s", setting)
		seen := map[color.Color]bool{}
		for y := range shown.Bounds().Dy() {
			for x := range shown.Bounds().Dx() {
				seen[shown.At(x, y)] = true
			}
		}
		require.Greater(t, len(seen), 20, "texts, cards and bars")
	}
	require.Zero(t, asked.Load(), "requests")
}

// screenshot takes a picture of a page with a color scheme in Chromium's numbers.
func screenshot(t *testing.T, browser, page, to, scheme string) image.Image {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,800",
		"--user-data-dir="+t.TempDir(), "--blink-settings=preferredColorScheme="+scheme, "--screenshot="+to, "file://"+page).CombinedOutput()
	require.NoError(t, err, string(out))
	file, err := os.Open(to)
	require.NoError(t, err, string(out))
	defer file.Close()
	picture, err := png.Decode(file)
	require.NoError(t, err)
	return picture
}
