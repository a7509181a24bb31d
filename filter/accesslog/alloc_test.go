package accesslog

import (
	"testing"

	"github.com/stretchr/testify/require"

	written "github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
)

func TestReadingALineAllocatesNothing(t *testing.T) {
	for _, l := range written.Lines() {
		for name, r := range written.Clean() {
			line := l.Write(r)
			dst := make([]byte, 0, 4096)
			require.Zero(t, testing.AllocsPerRun(100, func() { dst, _ = Append(dst[:0], line, nil) }), "%s: %s", l.Title, name)
			require.NotEmpty(t, dst, "%s: %s", l.Title, name)
		}
	}
}
