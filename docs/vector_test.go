package docs

import (
	"bufio"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// vectorSocket is a socket source or sink of Vector.
type vectorSocket struct {
	Type, Mode, Address string
	Framing             struct {
		Method           string
		NewlineDelimited struct {
			MaxLength int `yaml:"max_length"`
		} `yaml:"newline_delimited"`
	}
}

// TestVectorPage plays Vector, with the framing of the page's configuration, for the command of the page.
func TestVectorPage(t *testing.T) {
	page := read(t, "vector.md")
	var config struct {
		Sources map[string]vectorSocket
		Sinks   map[string]vectorSocket
	}
	text := regexp.MustCompile("(?s)<!-- vector -->\n```yaml\n(.*?)```").FindStringSubmatch(page)
	require.NotNil(t, text)
	require.NoError(t, yaml.Unmarshal([]byte(text[1]), &config))
	sink, source := config.Sinks["waf"], config.Sources["waf_alerts"]
	for _, s := range []vectorSocket{sink, source} {
		require.Equal(t, [3]string{"socket", "tcp", "newline_delimited"}, [3]string{s.Type, s.Mode, s.Framing.Method})
	}
	command := strings.Fields(blocks(page)[0].text)
	require.Equal(t, []string{"wafctl", "run", "--listen", "tcp://" + sink.Address, "--alert-to", "json+tcp://" + source.Address}, command)

	alerts, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer alerts.Close()
	place := loopback.Address(t)
	bin, err := tools()
	require.NoError(t, err)
	run := exec.Command(bin+"/wafctl", "run", "--listen", "tcp://"+place, "--alert-to", "json+tcp://"+alerts.Addr().String())
	require.NoError(t, run.Start())
	defer run.Wait()                          //nolint:errcheck // a signal ends it
	defer run.Process.Signal(syscall.SIGTERM) //nolint:errcheck // or it has ended by itself

	sample := strings.TrimSpace(read(t, "../testdata/nano-sample.json"))
	records := connect(t, place)
	defer records.Close()
	for range 3 {
		_, err = records.Write([]byte(sample + "\n"))
		require.NoError(t, err)
	}
	received, err := alerts.Accept()
	require.NoError(t, err)
	defer received.Close()
	require.NoError(t, received.SetReadDeadline(time.Now().Add(20*time.Second)))
	lines := bufio.NewScanner(received)
	lines.Buffer(nil, source.Framing.NewlineDelimited.MaxLength)
	for range 3 {
		require.True(t, lines.Scan(), lines.Err())
		assert.True(t, strings.HasPrefix(lines.Text(), `{"rule_id":"932160","alert_engine":"modsecurity"`), lines.Text())
	}
}

// connect tries until somebody listens, as Vector's sink does.
func connect(t *testing.T, place string) net.Conn {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", place)
		if err == nil {
			return conn
		}
		require.True(t, time.Now().Before(end), err)
	}
}
