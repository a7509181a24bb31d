package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
)

// asProgram makes the test binary be wafctl itself.
const asProgram = "WAFCTL_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	clitest.Main(m, nil)
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func TestProgramEndsWithTheExitCodeOfItsCommand(t *testing.T) {
	for in, code := range map[string]int{clean: cli.ExitClean, attack: cli.ExitAlert, "not json": cli.ExitError} {
		cmd := program(t, "check", "-")
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.Output()
		require.Equal(t, code, cmd.ProcessState.ExitCode(), "%v", err)
		require.NotContains(t, string(out), "\x1b", "no colors where no terminal is")
	}
}

func TestSignalsFinishWhatWasReceived(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		var out, messages syncbuffer.Buffer
		cmd := program(t, "run", "--listen", "udp://127.0.0.1:0")
		cmd.Stdout, cmd.Stderr = &out, &messages
		require.NoError(t, cmd.Start())
		r := &running{t: t}
		place := r.wait(&messages, `udp://(\S+);`)[1]
		conn := dial(t, "udp", place)
		for range 10 {
			_, err := io.WriteString(conn, attack)
			require.NoError(t, err)
		}
		require.NoError(t, cmd.Process.Signal(signal))
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			require.NoError(t, err, messages.String())
		case <-time.After(patience):
			cmd.Process.Kill() //nolint:errcheck // it has failed the test by now
			require.Fail(t, "still running", messages.String())
		}
		require.Contains(t, messages.String(), "received 10 records: 10 alerts")
		require.Equal(t, 10, bytes.Count([]byte(out.String()), []byte(`{"rule_id":`)))
	}
}
