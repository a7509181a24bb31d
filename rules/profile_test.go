package rules

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

const profiled = `SecComponentSignature "own/1.0"
SecRule ARGS "@contains attack" "id:1,phase:2,pass,log,msg:'One',severity:CRITICAL"
SecRule ARGS "@contains chain" "id:2,phase:2,pass,log,msg:'Two',severity:CRITICAL,chain"
SecRule ARGS "@rx b+$" "t:none"
SecRule REQUEST_HEADERS:User-Agent "@contains robot" "id:3,phase:1,pass,log,msg:'Three',severity:CRITICAL"
`

func openProfiled(t *testing.T, settings setting.Map) *Set {
	t.Helper()
	if settings["rules"] == "" {
		settings["rules"] = ownRules(t, profiled)
	}
	reader := setting.NewReader(settings, Properties())
	c := ReadConfig(reader)
	require.NoError(t, reader.Err())
	c.Profile = true
	set, err := library.Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, set.Close()) })
	return set
}

func ownRules(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "own.conf")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func request(uri string, headers ...model.Header) *model.Transaction {
	return &model.Transaction{Method: "GET", URI: uri, Protocol: "HTTP/1.1", RequestHeaders: headers}
}

func TestProfileTellsOfEveryRuleHowOftenItRanAndWasSpared(t *testing.T) {
	set := openProfiled(t, setting.Map{})
	for _, uri := range []string{"/?a=attack", "/?a=chain", "/?a=chain+bbb", "/", "/?a=1"} {
		_, err := set.Inspect(request(uri))
		require.NoError(t, err)
	}
	got := set.Profile()
	require.Equal(t, uint64(3), got.Prefiltered)
	require.Equal(t, uint64(2), got.Evaluated)
	require.Positive(t, got.Prefilter)
	require.Positive(t, got.Engine)
	sum := map[int][2]uint64{}
	for i, r := range got.Rules {
		sum[r.ID] = [2]uint64{r.Runs, r.Spared}
		require.Equal(t, r.Runs > 0, r.Time > 0, r.ID)
		require.LessOrEqual(t, r.Time, got.Engine)
		if i > 0 {
			require.LessOrEqual(t, r.Time, got.Rules[i-1].Time, "the slowest come first")
		}
	}
	require.Equal(t, [2]uint64{1, 4}, sum[1])
	require.Equal(t, [2]uint64{1, 4}, sum[2], "a chain is one rule")
	require.Equal(t, [2]uint64{0, 5}, sum[3])
}

func TestProfileWithoutPrefilterRunsAllRules(t *testing.T) {
	set := openProfiled(t, setting.Map{"prefilter": "off"})
	for range 7 {
		_, err := set.Pass(request("/"))
		require.NoError(t, err)
	}
	for _, r := range set.Profile().Rules {
		if r.ID < 10 {
			require.Equal(t, uint64(7), r.Runs)
			require.Zero(t, r.Spared)
		}
	}
}

func TestProfiledSetsJudgeAsOthersDo(t *testing.T) {
	set := openProfiled(t, setting.Map{})
	plain := open(t, setting.Map{"rules": ownRules(t, profiled)})
	require.Nil(t, plain.Profile())
	for _, tx := range []*model.Transaction{request("/?a=attack"), request("/?a=chainb"), request("/", model.Header{Name: "User-Agent", Value: "robot"})} {
		got, err := set.Inspect(tx)
		require.NoError(t, err)
		want, err := plain.Inspect(tx)
		require.NoError(t, err)
		require.Len(t, got.Matches, 1)
		require.Equal(t, want.Matches[0].Rule.ID, got.Matches[0].Rule.ID)
	}
}

func TestIdleRulesAreSparedOfWhatPasses(t *testing.T) {
	set := openProfiled(t, setting.Map{"rules": "crs", "cache_size": "0"})
	tx := *engine.PlainTransaction()
	tx.RequestHeaders = append([]model.Header{{Name: "Host", Value: "192.0.2.1"}}, tx.RequestHeaders[1:]...)
	for range 3 {
		verdict, err := set.Inspect(&tx)
		require.NoError(t, err)
		require.Equal(t, []int{920350}, ids(verdict))
		require.False(t, verdict.Blocked)
	}
	for _, r := range set.Profile().Rules {
		if r.ID == 942100 {
			require.Equal(t, [2]uint64{0, 3}, [2]uint64{r.Runs, r.Spared})
		}
	}
}
