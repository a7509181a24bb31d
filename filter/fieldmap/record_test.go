package fieldmap

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// body returns the msgpack map of a record written in JSON.
func body(t testing.TB, json string) []byte {
	t.Helper()
	var d intake.Decoder
	events, n, err := d.AppendEvents(nil, []byte(json), time.Unix(0, 0))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	e, _, err := record.Next(events)
	require.NoError(t, err)
	return e.Body
}

func nanoBody(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../../testdata/nano-sample.json")
	require.NoError(t, err)
	return body(t, string(text))
}

func parse(t testing.TB, yaml string) *Map {
	t.Helper()
	m, err := ParseYAML("own.yaml", []byte(yaml))
	require.NoError(t, err)
	return m
}

// transaction maps a record with one map.
func transaction(t testing.TB, m *Map, json string) (*rules.Transaction, *Values) {
	t.Helper()
	var v Values
	tx := &rules.Transaction{}
	require.True(t, m.Read(body(t, json), &v))
	require.True(t, v.Transaction(tx), "no transaction")
	return tx, &v
}

// read reads a record with the map that a choice finds for it; the transaction is empty when it is not one of HTTP.
func read(t testing.TB, c *Choice, json string) (*rules.Transaction, *Values) {
	t.Helper()
	var v Values
	tx := &rules.Transaction{}
	if c.Read(nil, body(t, json), &v) != NoMap && !v.Transaction(tx) {
		tx.Reset()
	}
	return tx, &v
}

// requireSameTransaction requires that values give the same transaction as reading the record again with the map alone.
func requireSameTransaction(t *testing.T, v, again *Values, m *Map, record []byte) {
	t.Helper()
	var tx, other rules.Transaction
	ok := v.Transaction(&tx)
	require.True(t, m.Read(record, again))
	require.Equal(t, ok, again.Transaction(&other))
	if ok {
		require.Equal(t, tx, other)
	}
}
