package rules

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// blog and shop are plugins in the layout of those of CRS.
var blog = map[string]string{
	"blog/README.md":                 "not a rule",
	"blog/plugins/blog-after.conf":   `SecRuleUpdateTargetById 942100 "!ARGS:comment"`,
	"blog/plugins/blog-before.conf":  beforeText("9599100", "/blog/", "ctl:ruleRemoveTargetById=942100;ARGS:q") + listText,
	"blog/plugins/blog-config.conf":  "SecRule &TX:blog-plugin_enabled \"@eq 0\" \"id:9599010,phase:1,pass,nolog,setvar:'tx.blog-plugin_enabled=1'\"\n",
	"blog/plugins/blog-paths.data":   "/drafts/\n",
	"shop/plugins/shop-after.conf":   `SecRuleUpdateTargetById 942100 "!ARGS:review"`,
	"shop/plugins/shop-before.conf":  beforeText("9599200", "/shop/", "ctl:ruleRemoveById=942100"),
	"shop/plugins/shop-config.conf":  "# nothing to configure\n",
	"empty/plugins/empty-after.conf": "# This file must be present, or the Include fails.\n", "empty/plugins/empty-before.conf": "", "empty/plugins/empty-config.conf": "\n",
}

func beforeText(id, path, action string) string {
	return "SecRule REQUEST_FILENAME \"@beginsWith " + path + "\" \"id:" + id + ",phase:1,pass,nolog," + action + "\"\n"
}

// listText switches the rule off, unless a config, which comes before, has left the plugin out.
const listText = "SecRule REQUEST_FILENAME \"@pmFromFile blog-paths.data\" \"id:9599110,phase:1,pass,nolog,chain\"\n" +
	" SecRule TX:blog-plugin_enabled \"@eq 1\" \"ctl:ruleRemoveById=942100\"\n"

func TestPluginsStandAroundCRS(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, blog)
	write(t, dir, map[string]string{"own.conf": beforeText("10", "/own/", "ctl:ruleRemoveById=942100")})
	for name, rules := range map[string]string{
		"folder before":        "DIR/blog,crs",
		"folder behind":        "crs,DIR/blog",
		"plugins behind":       "crs,DIR/blog/plugins/",
		"glob of all plugins":  "crs,DIR/*/plugins/*.conf",
		"each file, other way": "DIR/blog/plugins/blog-after.conf,crs,DIR/blog/plugins/blog-before.conf,DIR/blog/plugins/blog-config.conf",
		"two plugins":          "DIR/shop,crs,DIR/blog",
		"an empty one, too":    "crs,DIR/blog,DIR/empty",
	} {
		set := open(t, setting.Map{"rules": strings.ReplaceAll(rules, "DIR", dir)}) // those that come out the same are compiled once
		t.Run(name, func(t *testing.T) {
			require.Empty(t, set.Warnings())
			for uri, matches := range map[string]bool{
				"/x?q=1%27%20or%201=1--": true, "/blog/x?q=1%27%20or%201=1--": false, "/blog/x?z=1%27%20or%201=1--": true,
				"/x?comment=1%27%20or%201=1--": false, "/drafts/?z=1%27%20or%201=1--": false,
			} {
				request := sample()
				request.URI = uri
				v, err := set.Inspect(request)
				require.NoError(t, err)
				require.Equal(t, matches, slices.Contains(ids(v), 942100), "%s: %v", uri, ids(v))
			}
		})
	}
}

// TestOrderOfPlugins compares the order of files with that of CRS' own instructions: crs-setup.conf, all configs, all befores, the rules with
// those of users before and after CRS, all afters.
func TestOrderOfPlugins(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, blog)
	rule := func(id string) string { return `SecAction "id:` + id + `,phase:1,pass,nolog"` + "\n" }
	write(t, dir, map[string]string{
		"crs/crs-setup.conf": rule("900990"), "crs/rules/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf": rule("20"),
		"crs/rules/REQUEST-901-INITIALIZATION.conf": rule("901001"), "crs/rules/REQUEST-942-APPLICATION-ATTACK-SQLI.conf": rule("942100"),
		"crs/rules/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf": rule("30"), "own.conf": rule("40"),
		"flat/crs-setup.conf": rule("900990"), "flat/REQUEST-901-INITIALIZATION.conf": rule("901001"), "flat/REQUEST-942-X.conf": rule("942100"),
		"main/main.conf":      "Include crs-setup.conf\nInclude plugins/*-before.conf\nInclude rules/*.conf\nInclude plugins/*-after.conf\n",
		"main/crs-setup.conf": rule("900990"), "main/plugins/x-before.conf": rule("50"), "main/plugins/x-after.conf": rule("60"),
		"main/rules/REQUEST-901-INITIALIZATION.conf": rule("901001"), "main/rules/REQUEST-942-X.conf": rule("942100"),
		"single.conf": rule("900990") + rule("901001") + rule("942100"),
	})
	write(t, filepath.Join(dir, "whole"), map[string]string{"plugins/y-after.conf": rule("70"), "plugins/y-config.conf": rule("80")})
	write(t, filepath.Join(dir, "whole"), map[string]string{"crs-setup.conf": rule("900990"), "rules/REQUEST-901-INITIALIZATION.conf": rule("901001")})
	const crs = "REQUEST-900-EXCLUSION-RULES-BEFORE-CRS REQUEST-901-INITIALIZATION REQUEST-942-APPLICATION-ATTACK-SQLI " +
		"RESPONSE-999-EXCLUSION-RULES-AFTER-CRS "
	for rules, want := range map[string]string{
		"DIR/shop,DIR/crs,DIR/blog":                                    "crs-setup blog-config shop-before blog-before " + crs + "shop-after blog-after",
		"DIR/crs/crs-setup.conf,DIR/crs/rules/*.conf,DIR/blog/plugins": "crs-setup blog-config blog-before " + crs + "blog-after",
		"DIR/own.conf,DIR/blog,DIR/crs":                                "own crs-setup blog-config blog-before " + crs + "blog-after",
		"DIR/blog,DIR/crs,DIR/own.conf":                                "crs-setup blog-config blog-before " + crs + "blog-after own",
		"DIR/flat,DIR/blog":                                            "crs-setup blog-config blog-before REQUEST-901-INITIALIZATION REQUEST-942-X blog-after",
		"DIR/blog,DIR/single.conf":                                     "single blog-config blog-before single blog-after",
		"DIR/main":                                                     "crs-setup x-before REQUEST-901-INITIALIZATION REQUEST-942-X x-after",
		"DIR/shop,DIR/main":                                            "crs-setup x-before shop-before REQUEST-901-INITIALIZATION REQUEST-942-X shop-after x-after",
		"DIR/whole":                                                    "crs-setup y-config REQUEST-901-INITIALIZATION y-after",
		"DIR/blog,DIR/own.conf":                                        "blog-config blog-before own blog-after",
		"DIR/own.conf,DIR/blog":                                        "blog-config blog-before own blog-after",
		"DIR/blog":                                                     "blog-config blog-before blog-after",
		"DIR/crs/rules/*.conf,DIR/crs/crs-setup.conf,DIR/shop/plugins/": "shop-before " + crs + "shop-after crs-setup",
	} {
		p := load.Read(config(t, setting.Map{"rules": strings.ReplaceAll(rules, "DIR", dir), "rule_packs": "off"}), engine.NewVocabulary())
		require.Empty(t, p.Rejected, rules)
		var files []string
		for _, d := range p.Directives {
			name := strings.TrimSuffix(filepath.Base(d.File), ".conf")
			if d.File != "engine.conf" && (len(files) == 0 || files[len(files)-1] != name) {
				files = append(files, name)
			}
		}
		// Without CRS, what a plugin changes is not there.
		want := strings.Fields(want)
		if !strings.Contains(rules, "/crs") && !strings.Contains(rules, "flat") && !strings.Contains(rules, "single") && !strings.Contains(rules, "main") {
			want = slices.DeleteFunc(want, func(name string) bool { return name == "blog-after" })
		}
		require.Equal(t, want, files, rules)
	}
}

func TestPluginsThatCannotWorkAreReported(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"lua/plugins/lua-before.conf": "SecRuleScript check.lua \"id:9599300,phase:2,pass,nolog\"\n",
		"dos/plugins/dos-before.conf": "SecAction \"id:9599400,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\n" +
			"SecRule IP:dos_counter \"@ge 10\" \"id:9599410,phase:1,deny,log,msg:'too many'\"\n",
	})
	report := Check(config(t, setting.Map{"rules": "crs," + dir + "/lua"}))
	require.Contains(t, strings.Join(report.Refused, "\n"), dir+"/lua/plugins/lua-before.conf:1: SecRuleScript is not allowed: scripts are never run")
	report = Check(config(t, setting.Map{"rules": "crs," + dir + "/dos"}))
	require.Empty(t, append(report.Refused, report.Broken...))
	require.Equal(t, []string{dir + "/dos/plugins/dos-before.conf:2: rule 9599410 skipped: IP: nothing is kept between transactions"}, report.Warnings)
}
