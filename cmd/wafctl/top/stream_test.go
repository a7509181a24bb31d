package top

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func found(client, uri string, outcome alert.Outcome, matches ...rules.Match) *filter.Finding {
	told := &alert.Alert{ClientIP: client, ServerName: "shop.example", URI: uri, Outcome: outcome, Severity: 2, Matches: matches}
	return &filter.Finding{Kind: filter.Alert, Alert: &filter.Summary{Details: told}}
}

func match(id int, message, category string) rules.Match {
	return rules.Match{Rule: &rules.RuleInfo{ID: id, Severity: 2, Tags: []string{"attack-" + category}}, Message: message}
}

func TestAStreamCountsWhatIsFound(t *testing.T) {
	s := NewStream("access.log", nil)
	lfi, rce := match(930120, "OS File Access Attempt", "lfi"), match(932160, "Unix Shell Code Found", "rce")
	s.Add(found("198.51.100.7", "/download?file=../../etc/passwd", alert.Blocked, lfi, rce, rce))
	s.Add(found("198.51.100.7", "http://shop.example/download?x", alert.Attempted, lfi))
	s.Add(found("", "/\x1b[31m", alert.Attempted, lfi))
	s.Add(&filter.Finding{Kind: filter.Clean})
	s.Add(&filter.Finding{Kind: filter.NotHTTP, Partial: 1})
	s.Add(&filter.Finding{Kind: filter.Broken})
	s.AddBroken()
	r, err := s.Read(context.Background())
	require.NoError(t, err)
	require.Equal(t, []Count{{"alert", 3}, {"broken", 2}, {"clean", 1}, {"not HTTP", 1}}, r.Records)
	require.Equal(t, []Count{{"critical", 3}}, r.Levels)
	require.Equal(t, []Count{{"attempted", 2}, {"blocked", 1}}, r.Ends)
	require.Equal(t, []Count{{"broken", 2}, {"in part", 1}}, r.Missed)
	require.Equal(t, []List{
		{Title: "Attackers", Rows: []Row{{"198.51.100.7", "CRITICAL  OS File Access Attempt", 2}, {"?", "CRITICAL  OS File Access Attempt", 1}}},
		{Title: "Targets", Rows: []Row{{"shop.example/download", "CRITICAL  OS File Access Attempt", 2}, {`shop.example/\x1b[31m`, "CRITICAL  OS File Access Attempt", 1}}},
		{Title: "Rules", Rows: []Row{{"930120", "OS File Access Attempt", 3}, {"932160", "Unix Shell Code Found", 1}}},
		{Title: "Categories", Rows: []Row{{Name: "lfi", N: 3}, {Name: "rce", N: 1}}},
	}, r.Lists)
	require.Equal(t, "reading", r.State)
	s.Warn("rules: something was left out")
	s.End(nil)
	r, err = s.Read(context.Background())
	require.NoError(t, err)
	require.True(t, r.Ended)
	require.Equal(t, []string{"ended", "rules: something was left out"}, []string{r.State, r.Note})
	require.Zero(t, r.Since)
}

func TestAFloodOfAttackersTakesNoMemory(t *testing.T) {
	s := NewStream("access.log", nil)
	lfi := match(930120, "OS File Access Attempt", "lfi")
	for i := range 20 * maxNames {
		s.Add(found(fmt.Sprint("192.0.2.", i), fmt.Sprint("/", i), alert.Attempted, lfi))
		if i%10 == 0 {
			s.Add(found("198.51.100.7", "/login", alert.Attempted, lfi))
		}
	}
	require.LessOrEqual(t, s.attackers.Len(), maxNames)
	require.LessOrEqual(t, s.targets.Len(), maxNames)
	r, err := s.Read(context.Background())
	require.NoError(t, err)
	attackers := r.Lists[0]
	require.LessOrEqual(t, len(attackers.Rows), maxRows)
	require.Equal(t, "198.51.100.7", attackers.Rows[0].Name)
	require.Positive(t, attackers.Lack, "the list shows that counts may lack something")
	require.GreaterOrEqual(t, attackers.Rows[0].N+attackers.Lack, uint64(2*maxNames))
}

func TestTheStateOfAFileSaysHowFarItIsRead(t *testing.T) {
	read := int64(0)
	s := NewStream("access.log", func() (int64, int64) { return read, 200 })
	for _, c := range []struct {
		read  int64
		state string
	}{{0, "0 % read"}, {86, "43 % read"}, {200, "following"}} {
		read = c.read
		r, err := s.Read(context.Background())
		require.NoError(t, err)
		require.Equal(t, c.state, r.State)
		require.WithinDuration(t, time.Now(), r.At, time.Minute)
	}
}
