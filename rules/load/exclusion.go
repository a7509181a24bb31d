package load

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

var tagName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./-]*$`)

// exclusion turns "942100", "942100-942199" or "tag:attack-sqli" into a directive, each also with a target, as in
// "942100:ARGS:q".
func (v *Vocabulary) exclusion(part string) (string, error) {
	by, rule := "Id", part
	if tag, isTag := strings.CutPrefix(part, "tag:"); isTag {
		by, rule = "Tag", strings.TrimSpace(tag)
	}
	rule, target, hasTarget := strings.Cut(rule, ":")
	if by == "Tag" && !tagName.MatchString(rule) {
		return "", fmt.Errorf("malformed tag %q (want letters, digits, and _ . / -)", rule)
	}
	if by == "Id" {
		var err error
		if rule, err = excludedIDs(rule); err != nil {
			return "", err
		}
	}
	if !hasTarget {
		return "SecRuleRemoveBy" + by + " " + rule, nil
	}
	if err := v.checkTarget(target); err != nil {
		return "", err
	}
	return fmt.Sprintf(`SecRuleUpdateTargetBy%s %s "!%s"`, by, rule, target), nil
}

// excludedIDs writes an id, or a range of ids, as a directive wants it.
func excludedIDs(text string) (string, error) {
	low, high, err := seclang.ParseIDs(strings.ReplaceAll(text, " ", ""))
	switch {
	case err != nil:
		return "", fmt.Errorf("malformed rule %q (want an id, a range of ids such as 942100-942199, or tag:NAME)", text)
	case low == high:
		return strconv.Itoa(low), nil
	}
	return fmt.Sprintf("%d-%d", low, high), nil
}

// targetForm is a variable, and a key, a pattern of keys or one of the paths that XML has. What would end the target or the directive has no place in it.
var targetForm = regexp.MustCompile(`^([A-Za-z_]+)(:(/[^"'|\s]+/|/\*|//@\*|[^"'|&!/\s]+))?$`)

func (v *Vocabulary) checkTarget(target string) error {
	parts := targetForm.FindStringSubmatch(target)
	if parts == nil {
		return fmt.Errorf("malformed target %q (want a variable such as ARGS:q or REQUEST_HEADERS:User-Agent, keys also as /pattern/)", target)
	}
	if _, known := v.Variable(parts[1]); !known {
		return fmt.Errorf("unknown variable %q of the target %q (want one such as ARGS, REQUEST_COOKIES or REQUEST_HEADERS)", parts[1], target)
	}
	return nil
}
