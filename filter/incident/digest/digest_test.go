package digest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

const epoch = 1_760_000_000_000

// observations are of all sorts, in half a minute.
func observations(seed uint64, n int) (all []incident.Observation) {
	dice := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		o := incident.Observation{
			Time: epoch + dice.Int64N(30_000), Source: fmt.Sprintf("192.0.2.%d", dice.IntN(9)), Target: fmt.Sprintf("shop/svc%d", dice.IntN(3)), Method: "GET",
			Path: fmt.Sprintf("/orders/%d", dice.IntN(40)), Status: []int{200, 200, 304, 404, 401, 500}[dice.IntN(6)], Bytes: dice.Int64N(5000), Items: dice.IntN(2),
			Principal: uint64(dice.IntN(4)), User: uint64(dice.IntN(3)), Agent: fmt.Sprint("agent", dice.IntN(3)), Internal: dice.IntN(5) == 0, TargetHost: "10.0.0.1",
		}
		if dice.IntN(3) == 0 {
			o.Source = []string{"shop/front", "2001:db8::1", "010.1.2.3"}[dice.IntN(3)]
		}
		if dice.IntN(4) == 0 {
			o.Trace = uint64(dice.IntN(3))
			o.Attack = &incident.Attack{
				Rules:  []incident.Rule{{ID: 942100 + dice.IntN(4), Category: "sqli", Techniques: []string{"T1190", "T1210"}}, {ID: 932160, Category: "rce"}},
				Values: uint64(dice.IntN(5)), Refused: dice.IntN(2) == 0, Likely: dice.IntN(9) == 0,
				Show: func() incident.Sample {
					return incident.Sample{Alert: fmt.Sprintf("%032x", i), Method: "GET", URI: fmt.Sprintf("/orders?q=%d", i), Message: "SQL", Outcome: "attempted"}
				},
			}
		}
		all = append(all, o)
	}
	return all
}

// contentOf returns what an aggregator observes of digests.
func contentOf(t testing.TB, digests ...[]byte) (lines []string) {
	joined := map[int64]*window{}
	for _, d := range digests {
		_, packed, err := verify(d, nil)
		require.NoError(t, err)
		content, err := expand(packed)
		require.NoError(t, err)
		windows, err := decode(content)
		require.NoError(t, err)
		require.Equal(t, content, encode(windows), "what is read is what was written")
		for at, w := range windows {
			if joined[at] == nil {
				joined[at] = newWindow()
			}
			joined[at].join(w)
		}
	}
	for at := int64(epoch / windowTime); at < epoch/windowTime+3; at++ {
		if joined[at] == nil {
			continue
		}
		joined[at].each(at*windowTime, func(o *incident.Observation) {
			line := fmt.Sprintf("%+v", *o)
			if o.Attack != nil {
				shown := *o.Attack
				line = fmt.Sprintf("%+v %+v", shown.Rules, shown.Show()) + line[:bytes.Index([]byte(line), []byte("Attack:"))]
			}
			lines = append(lines, line)
		})
	}
	return lines
}

func digestOf(t testing.TB, node uint64, all []incident.Observation) []byte {
	w := newWriter(node, "", time.Minute)
	for i := range all {
		require.NoError(t, w.Add(&all[i], time.UnixMilli(all[i].Time)))
	}
	digests, err := w.Rest()
	require.NoError(t, err)
	require.Len(t, digests, 1)
	return digests[0]
}

// However observations are spread over digests, and in whatever order these come, the content is the same, and has every observation.
func TestTheContentDoesNotDependOnWhoSawWhat(t *testing.T) {
	for seed := range uint64(8) {
		all := observations(seed, 600)
		want := contentOf(t, digestOf(t, 1, all))
		require.Len(t, want, len(all))
		dice := rand.New(rand.NewPCG(seed, 2))
		parts := make([][]incident.Observation, 5)
		for _, i := range dice.Perm(len(all)) {
			n := dice.IntN(len(parts))
			parts[n] = append(parts[n], all[i])
		}
		var digests [][]byte
		for i, part := range parts {
			digests = append(digests, digestOf(t, uint64(i), part))
		}
		require.Equal(t, want, contentOf(t, digests...))
		slices.Reverse(digests)
		require.Equal(t, want, contentOf(t, digests...))
	}
}

func TestSetsThatAreBoundedDoNotDependOnWhoSawWhatEither(t *testing.T) {
	var all []incident.Observation
	for i := range 3 * mostIDs {
		o := incident.Observation{Time: epoch + int64(i%9000), Source: "192.0.2.1", Target: "shop", Method: "GET", Path: fmt.Sprintf("/orders/%d", i), Status: 200}
		if i%4 == 0 {
			o.Path = "/search"
			o.Attack = &incident.Attack{Rules: []incident.Rule{{ID: 942100}}, Values: uint64(i)}
		}
		all = append(all, o)
	}
	want := contentOf(t, digestOf(t, 1, all))
	require.Len(t, want, len(all))
	require.Equal(t, want, contentOf(t, digestOf(t, 1, all[:5000]), digestOf(t, 2, all[5000:])))
}

func TestAttacksKeepWhatDetectorsUse(t *testing.T) {
	o := observations(3, 1)[0]
	o.Trace, o.Time, o.Status = 7, epoch+1234, 200
	o.Attack = &incident.Attack{Rules: []incident.Rule{{ID: 942100, Category: "sqli", Techniques: []string{"T1190"}}, {ID: 1}}, Values: 99, Likely: true,
		Show: func() incident.Sample { return incident.Sample{Alert: "a", URI: "/x"} }}
	w := newWindow()
	var route incident.Route
	route.Parse(o.Method, o.Path)
	w.add(&o, &route, 1234)
	n := 0
	w.each(epoch, func(got *incident.Observation) {
		n++
		require.Equal(t, o.Time, got.Time)
		require.Equal(t, []any{o.Source, o.Target, o.TargetHost, o.Status, o.Internal}, []any{got.Source, got.Target, got.TargetHost, got.Status, got.Internal})
		require.Equal(t, "GET /orders/{id}", got.Route)
		require.Equal(t, []string{"GET", "/orders/{id}"}, []string{got.Method, got.Path})
		require.NotZero(t, got.IDs)
		require.NotZero(t, got.Trace)
		require.NotZero(t, got.Attack.Values)
		require.True(t, got.Attack.Likely)
		require.Equal(t, o.Attack.Rules, got.Attack.Rules)
		require.Equal(t, "/x", got.Attack.Show().URI)
	})
	require.Equal(t, 1, n)
}

func TestADigestThatWasChangedIsRefused(t *testing.T) {
	good := digestOf(t, 1, observations(1, 50))
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1
		_, _, err := verify(bad, nil)
		require.Error(t, err, i)
	}
	for size := range good {
		_, _, err := verify(good[:size], nil)
		require.Error(t, err, size)
	}
	_, _, err := verify(good, []byte("another salt"))
	require.ErrorContains(t, err, "salt")
}

func TestOldAndRepeatedNumbersAreKnown(t *testing.T) {
	m := NewMerger(incident.New(incident.Options{}), "", time.Minute)
	for _, step := range []struct {
		number uint64
		known  bool
	}{{1, false}, {1, true}, {3, false}, {2, false}, {2, true}, {3, true}, {200, false}, {199, false}, {100, true}, {137, false}, {136, true}} {
		require.Equal(t, step.known, m.isKnown(head{node: 7, number: step.number}, time.Now()), step)
		if !step.known {
			m.note(head{node: 7, number: step.number}, time.Now())
		}
	}
	require.False(t, m.isKnown(head{node: 8, number: 1}, time.Now()))
	for n := range uint64(2 * mostNodes) {
		m.note(head{node: n, number: 1}, time.Now())
	}
	require.Len(t, m.nodes, mostNodes)
}

// A node whose clock is years ahead must not make what others send come late.
func TestAClockThatIsAheadMovesNoTime(t *testing.T) {
	m := NewMerger(incident.New(incident.Options{}), "", time.Minute)
	send := func(node uint64, later int64) {
		all := observations(uint64(later), 20)
		for i := range all {
			all[i].Time += later
		}
		_, err := m.Merge(digestOf(t, node, all), time.Now())
		require.NoError(t, err)
	}
	send(1, 0)
	send(2, 3*365*24*3600*1000)
	late := m.Counts().Late
	require.NotZero(t, late)
	for n := range int64(20) {
		send(uint64(n+3), n*30_000)
	}
	require.Equal(t, late, m.Counts().Late)
}

func FuzzDecode(f *testing.F) {
	for seed := range uint64(3) {
		_, packed, err := verify(digestOf(f, 1, observations(seed, 40)), nil)
		require.NoError(f, err)
		content, err := expand(packed)
		require.NoError(f, err)
		f.Add(content)
	}
	f.Add(binary.AppendUvarint(nil, 1<<40))
	f.Fuzz(func(_ *testing.T, content []byte) {
		windows, err := decode(content)
		if err != nil {
			return
		}
		for at, w := range windows {
			if w.records() < 10_000 {
				w.each(at*windowTime, func(o *incident.Observation) {
					if o.Attack != nil {
						o.Attack.Show()
					}
				})
			}
		}
		again, err := decode(encode(windows))
		if err != nil || len(again) != len(windows) {
			panic(fmt.Sprint("what was read cannot be written: ", err))
		}
	})
}
