package testtool

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder is a test that notes how it ends.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) { r.end("skipped: ", format, args) }

func (r *recorder) Fatalf(format string, args ...any) { r.end("failed: ", format, args) }

func (r *recorder) end(how, format string, args []any) {
	r.ended = how + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// endOf returns how a test ends that needs something, "" when it goes on.
func endOf(test func(t testing.TB)) string {
	var r recorder
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		test(&r)
	}()
	<-ended
	return r.ended
}

func TestMissingToolsSkipTestsAndFailThemWhereTheyAreRequired(t *testing.T) {
	needs := map[string]func(testing.TB){
		"": func(t testing.TB) {
			require.NotEmpty(t, Program(t, "sh", "dash"))
			Path(t, "/", "base-files")
		},
		"no-such-program is not installed (Debian: apt-get install one)": func(t testing.TB) { Program(t, "no-such-program", "one") },
		"/no/such/file is not installed (Debian: apt-get install two)":   func(t testing.TB) { Path(t, "/no/such/file", "two") },
	}
	foreign := func(t testing.TB) { Program(t, "no-such-program", "") }
	for value, ends := range map[string]string{"": "skipped: ", "optional": "skipped: ", "required": "failed: "} {
		t.Setenv(Variable, value)
		for want, need := range needs {
			if want != "" {
				want = ends + want
			}
			require.Equal(t, want, endOf(need))
		}
		require.Equal(t, "skipped: no-such-program is not installed", endOf(foreign))
	}
}
