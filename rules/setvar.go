package rules

import (
	"strings"
	_ "unsafe" // go:linkname

	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
)

// corazaActions is Coraza's table of actions, which it keeps in an internal package. A version that names it otherwise does not
// link.
//
//go:linkname corazaActions github.com/corazawaf/coraza/v3/internal/actions.actionmap
var corazaActions map[string]plugins.ActionFactory

// setvar is Coraza's action, which wants a value: it panics where ModSecurity takes "tx.name" for "tx.name=1", and removes the
// variable of "!tx.name".
type setvar struct{ plugintypes.Action }

// Init implements plugintypes.Action.
func (s *setvar) Init(rule plugintypes.RuleMetadata, text string) error {
	if !strings.Contains(text, "=") {
		text += "=1"
	}
	return s.Action.Init(rule, text)
}

func init() {
	original := corazaActions["setvar"]
	plugins.RegisterAction("setvar", func() plugintypes.Action { return &setvar{original()} })
}
