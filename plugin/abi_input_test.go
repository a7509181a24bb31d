package main

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// intake is a host with the input nano.
type intake struct {
	*hostProcess
	events []string // bodies that were handed over
}

// loadInput builds in_nano.so beside the plugin and loads it.
func loadInput(t *testing.T, v variant) *intake {
	t.Helper()
	h := start(t, v)
	dir := t.TempDir()
	compile(t, v, "-O2", "-fPIC", "-fvisibility=hidden", "-shared", "-o", filepath.Join(dir, "in_nano.so"), "nano/in_nano.c", "-ldl")
	objects, err := v.object()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Join(objects, "out_waf.so"), filepath.Join(dir, "out_waf.so")))
	require.Equal(t, "0 type 1 proxy 11 name nano again -1 in a reload 0", h.do("input-load", dir))
	return &intake{hostProcess: h}
}

func (i *intake) open(id, name string, properties ...string) string {
	i.t.Helper()
	return i.do(append([]string{"input", id, name}, assignments(properties)...)...)
}

// dial connects to where the log says that the input receives.
func (i *intake) dial() net.Conn {
	i.t.Helper()
	found := regexp.MustCompile(`receives from udp://(\S+)`).FindStringSubmatch(strings.Join(i.log, "\n"))
	require.NotNil(i.t, found, i.log)
	conn, err := net.Dial("udp", found[1])
	require.NoError(i.t, err)
	i.t.Cleanup(func() { conn.Close() })
	return conn
}

func (i *intake) send(to net.Conn, text string) {
	i.t.Helper()
	_, err := to.Write([]byte(text))
	require.NoError(i.t, err)
}

// tick lets the event loop look at the input, and takes what that hands over.
func (i *intake) tick() {
	i.t.Helper()
	require.Equal(i.t, "ok", i.do("input-tick"))
	for _, line := range i.emit {
		var records int
		var digits string
		_, err := fmt.Sscanf(line, "append %d %s", &records, &digits)
		require.NoError(i.t, err, line)
		chunk, err := hex.DecodeString(digits)
		require.NoError(i.t, err)
		for ; len(chunk) > 0; records-- {
			e, rest, err := record.Next(chunk)
			require.NoError(i.t, err)
			i.events = append(i.events, string(alert.JSON(e.Body)))
			chunk = rest
		}
		require.Zero(i.t, records, "the number of records is told")
	}
}

// wait ticks until so many records have been handed over, and returns them all.
func (i *intake) wait(n int) []string {
	i.t.Helper()
	for end := time.Now().Add(20 * time.Second); len(i.events) < n && time.Now().Before(end); time.Sleep(time.Millisecond) {
		i.tick()
	}
	return i.events
}

// stays ticks for a while in which nothing may be handed over.
func (i *intake) stays() {
	i.t.Helper()
	before := len(i.events)
	for range 30 {
		i.tick()
		time.Sleep(time.Millisecond)
	}
	require.Len(i.t, i.events, before)
}

func TestInputHandsOverWhatItReceives(t *testing.T) {
	for _, v := range withSanitizers(plain, old) {
		t.Run(v.name, func(t *testing.T) {
			i := loadInput(t, v)
			require.Equal(t, "1", i.open("0", "nano.0", "listen_on", "udp://127.0.0.1:0"))
			conn := i.dial()
			i.send(conn, `{"n":1}{"n":2}`)
			require.Equal(t, []string{`{"n":1}`, `{"n":2}`}, i.wait(2))

			i.do("append", "-1") // the host's limit is reached
			i.send(conn, `{"n":3}`)
			i.stays()
			i.do("append", "0")
			require.Equal(t, `{"n":3}`, i.wait(3)[2])

			require.Equal(t, "1", i.do("input-exit", "0", "0"))
			require.Contains(t, strings.Join(i.log, "\n"), "3 [input:nano:nano.0] datagrams 2, lines 0, records 3: handed over 3, waiting 0")
		})
	}
}

func TestInputHoldsRecordsForThePipelineAfterAReload(t *testing.T) {
	i := loadInput(t, plain)
	require.Equal(t, "1", i.open("0", "nano.0", "listen_on", "udp://127.0.0.1:0"))
	conn := i.dial()
	i.send(conn, `{"n":1}`)
	i.wait(1)
	require.Equal(t, "1", i.do("input-exit", "0", "1"))
	i.send(conn, `{"n":2}`)
	require.Equal(t, "1", i.open("1", "nano.0", "listen_on", "udp://127.0.0.1:0"))
	require.Contains(t, strings.Join(i.log, "\n"), "continues receiving from udp://127.0.0.1:")
	i.send(conn, `{"n":3}`)
	require.Equal(t, []string{`{"n":1}`, `{"n":2}`, `{"n":3}`}, i.wait(3))

	// Other settings open the place anew, with what had arrived.
	require.Equal(t, "1", i.do("input-exit", "1", "1"))
	i.send(conn, `{"n":4}`)
	time.Sleep(50 * time.Millisecond)
	require.Equal(t, "1", i.open("2", "nano.0", "listen_on", "udp://127.0.0.1:0", "invalid", "drop"))
	i.dial()
	require.Equal(t, `{"n":4}`, i.wait(4)[3])
	require.Equal(t, "1", i.do("input-exit", "2", "0"))
}

func TestInputHandsOverALittleLongerAfterAPause(t *testing.T) {
	i := loadInput(t, plain)
	require.Equal(t, "1", i.open("0", "nano.0", "listen_on", "udp://127.0.0.1:0"))
	conn := i.dial()
	i.do("input-pause")
	i.send(conn, `{"n":1}`)
	i.wait(1)
	time.Sleep(lastWords)
	i.send(conn, `{"n":2}`)
	i.stays()
	i.do("input-resume")
	require.Equal(t, []string{`{"n":1}`, `{"n":2}`}, i.wait(2))
	i.do("input-pause")
	time.Sleep(lastWords)
	i.send(conn, `{"n":3}`)
	i.stays()
	require.Equal(t, "1", i.do("input-exit", "0", "0"))
	require.Contains(t, strings.Join(i.log, "\n"), "1 records arrived too late for this pipeline and are dropped")
}

func TestInputRefusesWhatItCannotDo(t *testing.T) {
	i := loadInput(t, plain)
	require.Equal(t, listed(receive.InputProperties()), strings.Fields(i.do("input-map")))
	require.Equal(t, "0", i.open("0", "nano.0", "listen_on", "udp://nowhere", "allow", "everyone"))
	for _, text := range []string{"1 [input:nano:nano.0] property listen_on: malformed address", "property allow: malformed network"} {
		require.Contains(t, strings.Join(i.log, "\n"), text)
	}
	require.Equal(t, "1", i.open("1", "nano.1", "listen_on", "udp://127.0.0.1:0"))
	require.Equal(t, "0", i.open("2", "nano.2", "listen_on", "udp://127.0.0.1:0"))
	require.Contains(t, strings.Join(i.log, "\n"), `with "threaded off" there can be only one input nano`)
	require.Equal(t, "1", i.do("input-exit", "1", "0"))
}
