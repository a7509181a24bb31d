package delivery

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// fluentBits returns the Fluent Bit programs of this machine.
func fluentBits() []string {
	if program := os.Getenv("FLUENT_BIT"); program != "" {
		return []string{program}
	}
	programs, _ := filepath.Glob("/opt/fluent-bit*/bin/fluent-bit")
	if program, err := exec.LookPath("fluent-bit"); err == nil {
		programs = append(programs, program)
	}
	return programs
}

// startFluentBit runs a Fluent Bit that writes what its forward input gets to a file.
func startFluentBit(t *testing.T, program, options string) (address, file string) {
	t.Helper()
	dir := t.TempDir()
	address, file = loopback.Address(t), filepath.Join(dir, "out")
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	config := filepath.Join(dir, "fluent-bit.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `[SERVICE]
    flush 0.1
    grace 1
[INPUT]
    name forward
    listen 127.0.0.1
    port %s
%s
[OUTPUT]
    name file
    match *
    path %s
    file out
`, port, options, dir), 0o600))
	command := exec.CommandContext(t.Context(), program, "-c", config)
	var output lockedBuffer
	command.Stdout, command.Stderr = &output, &output
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address, file
		}
		require.Less(t, time.Since(start), 15*time.Second, "Fluent Bit does not listen")
	}
}

func TestFluentBitReadsWhatWeForward(t *testing.T) {
	programs := fluentBits()
	if len(programs) == 0 {
		t.Skip("there is no Fluent Bit in $FLUENT_BIT, /opt/fluent-bit*/bin or PATH")
	}
	for _, program := range programs {
		for name, c := range map[string]struct{ theirs, ours, err string }{
			"plain":       {},
			"shared key":  {theirs: "    shared_key s3+cret\n    self_hostname receiver", ours: "&shared-key=s3+cret"},
			"wrong key":   {theirs: "    shared_key s3+cret\n    self_hostname receiver", ours: "&shared-key=other", err: "shared key"},
			"missing key": {theirs: "    shared_key s3+cret\n    self_hostname receiver", err: "requires a shared key"},
		} {
			t.Run(filepath.Base(filepath.Dir(filepath.Dir(program)))+" "+name, func(t *testing.T) {
				address, file := startFluentBit(t, program, c.theirs)
				d := mustOpen(t, "forward://"+address+"?tag=waf.$TAG"+c.ours, Options{})
				err := d.Deliver(t.Context(), "a", alerts(0, 100))
				if c.err != "" {
					require.ErrorContains(t, err, c.err)
					return
				}
				require.NoError(t, err)
				for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
					text, _ := os.ReadFile(file)
					lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
					if len(lines) == 100 {
						assert.Equal(t, `waf.nano: [1780125408.000007000, {"n":7,"raw":`, lines[7][:strings.Index(lines[7], `"raw":`)+6])
						return
					}
					require.Less(t, time.Since(start), 15*time.Second, "%d lines", len(lines))
				}
			})
		}
	}
}
