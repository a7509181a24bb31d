package rules

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

const oneRule = `SecRule ARGS "@contains one" "id:1,phase:2,deny,severity:2"`

func TestWatchSeesWhatChangesTheRules(t *testing.T) {
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, name))) }
	}
	put := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { write(t, dir, map[string]string{name: text}) }
	}
	replace := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"new": text})
			require.NoError(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)))
		}
	}
	files := map[string]string{
		"main.conf":         "Include parts/*.conf\nIncludeOptional later/*.conf\n",
		"parts/a.conf":      `SecRule ARGS "@pmFromFile ../data/words.data" "id:1,phase:2,deny,severity:2"`,
		"data/words.data":   "one\n",
		"elsewhere/b.conf":  "# not ours\n",
		"later/placeholder": "",
	}
	for name, c := range map[string]struct {
		source string // DIR when empty
		change func(t *testing.T, dir string)
		same   bool
	}{
		"a rule file is written":             {change: put("parts/a.conf", oneRule)},
		"a rule file is replaced":            {change: replace("parts/a.conf", oneRule)},
		"a rule file is removed":             {change: remove("parts/a.conf")},
		"a data file is written":             {change: put("data/words.data", "two\n")},
		"a file comes that a glob finds":     {change: put("parts/b.conf", "# more\n")},
		"a file comes that an include finds": {change: put("later/c.conf", "# more\n")},
		"a file of a glob source comes":      {source: "parts/*.conf", change: put("parts/b.conf", "# more\n")},
		"a single file is written":           {source: "parts/a.conf", change: put("parts/a.conf", oneRule)},
		"a file elsewhere is written":        {change: put("elsewhere/b.conf", "# still not ours\n"), same: true},
		"nothing happens":                    {change: func(*testing.T, string) {}, same: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, files)
			w := library.NewWatch(config(t, setting.Map{"rules": filepath.Join(dir, c.source)}))
			set, err := w.Open()
			require.NoError(t, err)
			require.NoError(t, set.Close())
			require.Positive(t, w.Files())
			require.False(t, w.Changed())
			c.change(t, dir)
			require.Equal(t, !c.same, w.Changed())
			require.False(t, w.Changed(), "a change is seen once")
		})
	}
}

// A ConfigMap in a pod is a directory of links to ..data/NAME, and ..data a link to a directory that is swapped by a rename.
func TestWatchSeesTheSwapOfAConfigMap(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"..1/own.conf": oneRule, "..2/own.conf": oneRule})
	require.NoError(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/own.conf", filepath.Join(dir, "own.conf")))
	w := library.NewWatch(config(t, setting.Map{"rules": filepath.Join(dir, "own.conf")}))
	first, err := w.Open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, first.Close()) })
	require.False(t, w.Changed())

	swap(t, dir, "..2")
	require.True(t, w.Changed())
	same, err := w.Open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, same.Close()) })
	require.Same(t, first, same, "the same content is the same set")
}

// swap leads ..data to another directory.
func swap(t *testing.T, dir, to string) {
	t.Helper()
	require.NoError(t, os.Symlink(to, filepath.Join(dir, "..data_tmp")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
}

func TestWatchNotesFilesThatMakeNoRuleSet(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"main.conf": "Include own.conf\nInclude gone/gone.conf\n", "own.conf": "SecRule broken"})
	w := library.NewWatch(config(t, setting.Map{"rules": filepath.Join(dir, "main.conf")}))
	_, err := w.Open()
	require.Error(t, err)
	require.False(t, w.Changed())
	write(t, dir, map[string]string{"own.conf": oneRule})
	require.True(t, w.Changed())
	write(t, dir, map[string]string{"gone/gone.conf": "# here\n"})
	require.True(t, w.Changed())
	set, err := w.Open()
	require.NoError(t, err)
	require.NoError(t, set.Close())
}

func TestEmbeddedRulesCannotChange(t *testing.T) {
	w := library.NewWatch(config(t, nil))
	set, err := w.Open()
	require.NoError(t, err)
	require.NoError(t, set.Close())
	require.Zero(t, w.Files())
}

func TestTheSameContentIsCompiledOnce(t *testing.T) {
	dir := t.TempDir()
	copyCRS(t, dir)
	c := config(t, setting.Map{"rules": dir})
	l, sets := new(Library), make([]*Set, 4)
	var group sync.WaitGroup
	for i := range sets {
		group.Go(func() { sets[i], _ = l.Open(c) })
	}
	group.Wait()
	for _, s := range sets {
		require.NotNil(t, s)
		require.Same(t, sets[0], s)
		require.NoError(t, s.Close())
	}
	again := openIn(t, l, setting.Map{"rules": dir})
	require.NotSame(t, sets[0], again, "a closed set is not found any more")
}

func TestABrokenDirectiveIsAnErrorWhileTheSameRulesAreOpen(t *testing.T) {
	l, own := new(Library), ownFile(t, oneRule)
	good := openIn(t, l, setting.Map{"rules": own})
	broken := setting.Map{"rules": own, "directives": "SecRuleRemoveById x-y"}
	_, err := l.Open(config(t, broken))
	require.ErrorContains(t, err, "directives:1: SecRuleRemoveById: malformed rule")

	broken["rules_strict"] = "off"
	require.Len(t, openIn(t, l, broken).Warnings(), 1)
	require.Empty(t, good.Warnings())
	require.Empty(t, openIn(t, l, setting.Map{"rules": own}).Warnings())
}

func TestPreparedSetsHaveTheVariantsOfTheOther(t *testing.T) {
	used := openFresh(t, nil)
	for _, unknown := range []model.Parts{model.PartBody, model.AllParts &^ model.PartRequest} {
		_, err := used.Inspect(&model.Transaction{Method: "GET", URI: "/", Protocol: "HTTP/1.1", Unknown: unknown, RequestBody: "a"})
		require.NoError(t, err)
	}
	next := openFresh(t, setting.Map{"anomaly_inbound": "7"})
	require.NoError(t, next.Prepare(used))
	require.Equal(t, len(used.engines.made), len(next.engines.made))
	require.Greater(t, len(next.engines.made), 1)
}
