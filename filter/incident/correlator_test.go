package incident

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// play returns the events about incidents, as JSON, with the correlator saved and loaded after every so many observations, if any.
func play(t *testing.T, seed uint64, days, reload int) (all []string) {
	w, c, n := newWeek(seed, days, 1), New(Options{}), 0
	take := func(events []*Incident) {
		for _, e := range events {
			text, err := json.Marshal(e)
			require.NoError(t, err)
			all = append(all, string(text))
		}
	}
	w.each(func(o *Observation, _ int) {
		take(c.Observe(o).Events)
		if n++; reload > 0 && n%reload == 0 {
			state, err := c.MarshalBinary()
			require.NoError(t, err)
			c = New(Options{})
			require.NoError(t, c.UnmarshalBinary(state))
		}
	})
	take(c.Flush())
	return all
}

func TestTheSameRecordsGiveTheSameIncidents(t *testing.T) {
	once := play(t, 5, 2, 0)
	require.Greater(t, len(once), 50)
	require.Equal(t, once, play(t, 5, 2, 0))
	require.Equal(t, once, play(t, 5, 2, 30_011), "with restarts in between")
	require.NotEqual(t, once, play(t, 6, 2, 0))
}

func TestMemoryIsBounded(t *testing.T) {
	const incident = 12_800 // TestAnIncidentIsBounded
	require.LessOrEqual(t, New(Options{}).Size()+mostActive*incident, 16<<20)
}

func TestAnIncidentIsBounded(t *testing.T) {
	c := New(Options{})
	long := func(n int) string { return fmt.Sprintf("%04d%0300d", n, n) } // what is cut off differs, and what is left
	var largest int
	for n := range 5000 {
		a := alarm(942100+n, uint64(n))
		a.Rules[0].Category = long(n)
		a.Rules[0].Techniques = []string{fmt.Sprint("T", n)}
		a.Show = func() Sample { return Sample{URI: long(n), Message: long(n), Alert: long(n), Outcome: "attempted"} }
		o := Observation{Time: epoch + int64(n)*100, Source: long(n % 20), Target: long(n % 50), Path: "/" + long(n) + "x", Method: "GET", Status: 200, Attack: a}
		for _, e := range c.Observe(&o).Events {
			text, err := json.Marshal(e)
			require.NoError(t, err)
			largest = max(largest, len(text))
		}
	}
	require.Greater(t, largest, 4<<10)
	require.LessOrEqual(t, largest, 10_800) // in memory a little more: sketches, headers of texts
}

func clean(at int64, source string) *Observation {
	return &Observation{Time: at, Source: source, Target: "shop/cart", Method: "GET", Path: "/api/orders/17", Status: 200, Bytes: 512, Principal: hash(source), Agent: "app"}
}

func TestCleanRecordsAllocateNothing(t *testing.T) {
	c, at := New(Options{}), int64(epoch)
	var all []*Observation
	for n := range 200 {
		all = append(all, clean(0, fmt.Sprintf("10.0.0.%d", n)))
	}
	round := func() {
		for _, o := range all {
			at += 50
			o.Time = at
			c.Observe(o)
		}
	}
	for range 3 {
		round()
	}
	require.Zero(t, testing.AllocsPerRun(20, round))
}

func BenchmarkCleanRecord(b *testing.B) {
	c := New(Options{})
	var all []Observation
	w := newWeek(1, 1, 1)
	w.each(func(o *Observation, _ int) {
		if o.Attack == nil && o.Status < 400 {
			all = append(all, *o)
		}
	})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		o := &all[n%len(all)]
		c.Observe(o)
	}
}

// Sources are invented, each with a clean record or an alert, while real ones go on: these keep their rows.
func TestInventedSourcesEvictNoRealOne(t *testing.T) {
	invented := 200_000
	if os.Getenv("INCIDENTS") == "full" {
		invented = 10_000_000
	}
	c, at := New(Options{}), int64(epoch)
	genuine := func(n int) string { return fmt.Sprintf("198.51.100.%d", n) }
	for range 5 {
		for n := range 200 {
			c.Observe(clean(at, genuine(n)))
			at += 200
		}
	}
	for n := range invented {
		o := clean(at, fmt.Sprintf("2001:db8::%x", n))
		if n%3 == 0 {
			o.Attack = alarm(942100, uint64(n))
		}
		c.Observe(o)
		if n%2 == 0 {
			c.Observe(clean(at, o.Source))
		}
		if n%100 == 0 {
			c.Observe(clean(at, genuine(n/100%200)))
			at += 10
		}
	}
	for n := range 200 {
		row := c.known.find(hash(genuine(n)))
		require.GreaterOrEqual(t, row, 0, genuine(n))
		require.Equal(t, uint32(epoch/1000), c.known.rows[row].First-uint32(40+n/5), "it is the first one still")
	}
	require.NotZero(t, c.Counts().EvictedSources)
}

func TestOnlyFilesAreSetAside(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "directory"), filepath.Join(dir, "link")} {
		if filepath.Base(path) == "link" {
			require.NoError(t, os.Symlink(os.DevNull, path))
		} else {
			require.NoError(t, os.Mkdir(path, 0o700))
		}
		_, problem := Load(path, Options{})
		require.ErrorContains(t, problem, path)
		require.NotContains(t, problem.Error(), "renamed")
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2)
	require.NoFileExists(t, os.DevNull+".bad")
}

func TestALinkToAStateStays(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "state"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Symlink(path, link))
	require.NoError(t, Save(link, []byte("new")))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(got))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
}

func TestAStateFileIsWholeOrSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	c, problem := Load(path, Options{})
	require.NoError(t, problem)
	for n := range 50 {
		o := clean(epoch+int64(n)*100, "192.0.2.1")
		o.Attack = alarm(942100+n, uint64(n))
		c.Observe(o)
	}
	require.Equal(t, 1, c.Counts().Open)
	state, err := c.MarshalBinary()
	require.NoError(t, err)
	require.NoError(t, Save(path, state))
	again, problem := Load(path, Options{})
	require.NoError(t, problem)
	require.Equal(t, c.Counts(), again.Counts())

	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, bad := range map[string][]byte{
		"empty": {}, "cut": good[:len(good)/2], "no state": []byte("hello, world, this is no state"),
		"another version": append(append([]byte(stateMagic), 99), good[len(stateMagic)+1:]...),
		"a changed byte":  append(append(append([]byte{}, good[:200]...), good[200]^1), good[201:]...),
	} {
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		c, problem := Load(path, Options{})
		require.ErrorContains(t, problem, "renamed to "+path+".bad", name)
		require.Zero(t, c.Counts().Observed, name)
		kept, err := os.ReadFile(path + ".bad")
		require.NoError(t, err)
		require.Equal(t, bad, kept, name)
		require.NoFileExists(t, path)
	}
	left, err := filepath.Glob(filepath.Dir(path) + "/*")
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else stays")
}

// A host whose clock is years ahead must not keep an incident open for years, nor end those of others.
func TestAClockThatIsAheadKeepsNothingOpen(t *testing.T) {
	c, seen := New(Options{}), map[string]Status{}
	take := func(events []*Incident) {
		for _, e := range events {
			seen[e.ID] = e.Status
		}
	}
	at := int64(epoch)
	for n := range 40 {
		at += 2 * second
		o := Observation{Time: at, Source: "203.0.113.9", Target: "shop/cart", Method: "GET", Path: fmt.Sprintf("/item?q=%d", n), Status: 200, Attack: alarm(942100+n, uint64(n))}
		if n%10 == 9 {
			o.Time += 3 * 365 * oneDay
		}
		take(c.Observe(&o).Events)
	}
	require.LessOrEqual(t, len(seen), 5)
	for range 400 {
		at += 30 * second
		take(c.Observe(clean(at, "192.0.2.1")).Events)
	}
	for id, status := range seen {
		require.Equal(t, Closed, status, id)
	}
}

// A time that cannot be read, or years ahead, does not become that of an incident.
func TestOneWrongClockGivesAnIncidentNoTime(t *testing.T) {
	c := New(Options{})
	var last *Incident
	for n := range 60 {
		o := Observation{Time: epoch + int64(n)*second, Source: "203.0.113.9", Target: "shop/cart", Method: "GET", Path: fmt.Sprintf("/item?q=%d", n), Status: 200, Attack: alarm(942100+n, uint64(n))}
		if n%7 == 3 {
			o.Time = 253402300799000 // the year 9999
		}
		for _, e := range c.Observe(&o).Events {
			last = e
		}
	}
	for _, e := range c.Flush() {
		last = e
	}
	require.NotNil(t, last)
	require.LessOrEqual(t, last.Last, int64(epoch+60*second))
	require.GreaterOrEqual(t, last.First, int64(epoch))
	require.Equal(t, Closed, last.Status)
}
