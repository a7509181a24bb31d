package metrics

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// quiet takes panics that a test does not expect.
func quiet(t *testing.T) func(any, []byte) {
	return func(cause any, _ []byte) { t.Error("panic:", cause) }
}

// fetch returns what an address serves.
func fetch(t *testing.T, address string) string {
	t.Helper()
	return loopback.Get(t, "http://"+address+"/metrics")
}

// records adds a count of clean records to an instance.
func records(i *Instance, n float64) {
	i.Add(Collecting(func(to chan<- prometheus.Metric) { Records.Send(to, n, "clean") }))
}

func TestInstancesOfOneNameAreTold(t *testing.T) {
	p := NewProcess()
	first, second := p.Join("filter", "waf.0", "1", quiet(t)), p.Join("filter", "waf.0", "1", quiet(t))
	other := p.Join("output", "waf.0", "1", quiet(t))
	require.Equal(t, []string{"waf.0", "waf.0#2", "waf.0"}, []string{first.Name(), second.Name(), other.Name()})
	second.Leave()
	require.Equal(t, "waf.0#2", p.Join("filter", "waf.0", "1", quiet(t)).Name())
}

func TestAPageShowsTheInstancesOfItsProcessAlone(t *testing.T) {
	p, stranger := NewProcess(), NewProcess()
	records(p.Join("filter", "a", "1", quiet(t)), 3)
	gone := p.Join("filter", "b", "1", quiet(t))
	records(gone, 4)
	records(stranger.Join("filter", "c", "1", quiet(t)), 5)
	address := loopback.Address(t)
	served, err := p.Serve(address, quiet(t))
	require.NoError(t, err)
	again, err := p.Serve(address, quiet(t))
	require.NoError(t, err)
	_, err = stranger.Serve(address, quiet(t))
	require.Error(t, err, "the address is taken")

	text := fetch(t, address)
	require.Contains(t, text, `waf_records_total{kind="filter",name="a",result="clean"} 3`)
	require.Contains(t, text, `name="b"`)
	require.NotContains(t, text, `name="c"`)
	gone.Leave()
	require.NoError(t, served.Close())
	require.NotContains(t, fetch(t, address), `name="b"`, "the other share keeps the page")
	require.NoError(t, again.Close())
	_, err = net.Dial("tcp", address)
	require.Error(t, err)
}

func TestAPanicOfACollectorCostsItsMetricsOnly(t *testing.T) {
	p := NewProcess()
	caught := 0
	i := p.Join("filter", "a", "1", func(any, []byte) { caught++ })
	records(i, 3)
	i.Add(Collecting(func(chan<- prometheus.Metric) { panic("a bug") }))
	families, err := p.Gather()
	require.NoError(t, err)
	require.NotZero(t, caught)
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	require.Contains(t, names, "waf_records_total")
}

func TestARecordHasTheMetricsOfOneInstance(t *testing.T) {
	p := NewProcess()
	i := p.Join("filter", "a", "1.2.3", quiet(t))
	records(i, 3)
	records(p.Join("filter", "b", "1.2.3", quiet(t)), 4)
	event, err := i.AppendRecord(nil)
	require.NoError(t, err)
	var text bytes.Buffer
	_, err = msgp.UnmarshalAsJSON(&text, event)
	require.NoError(t, err)
	require.Contains(t, text.String(), `"waf_records_total":{"clean":3}`)
	require.True(t, strings.HasPrefix(text.String(), `{"kind":"filter","name":"a"`), text.String())
	require.Contains(t, text.String(), "1.2.3")
	require.NotContains(t, text.String(), `"clean":4`)
}
