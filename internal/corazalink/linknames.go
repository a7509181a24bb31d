package corazalink

import (
	_ "unsafe" // go:linkname

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	_ "github.com/corazawaf/libinjection-go" // linked by name below
)

// GetTransformation returns one of Coraza's transformations. The name's case does not matter.
//
//go:linkname GetTransformation github.com/corazawaf/coraza/v3/internal/transformations.GetTransformation
func GetTransformation(name string) (plugintypes.Transformation, error)

// GetOperator makes one of Coraza's operators, or a registered one. The name's case matters.
//
//go:linkname GetOperator github.com/corazawaf/coraza/v3/internal/operators.Get
func GetOperator(name string, options plugintypes.OperatorOptions) (plugintypes.Operator, error)

// GetBodyProcessor returns one of Coraza's body processors. The name's case does not matter.
//
//go:linkname GetBodyProcessor github.com/corazawaf/coraza/v3/internal/bodyprocessors.GetBodyProcessor
func GetBodyProcessor(name string) (plugintypes.BodyProcessor, error)

// MatchesArbitraryBytes reports whether Coraza reads the pattern of an @rx, with its flags in front, as bytes instead of runes.
//
//go:linkname MatchesArbitraryBytes github.com/corazawaf/coraza/v3/internal/operators.matchesArbitraryBytes
func MatchesArbitraryBytes(expr string) bool

// getAction makes an action by its name in lower case.
//
//go:linkname getAction github.com/corazawaf/coraza/v3/internal/actions.Get
func getAction(name string) (plugintypes.Action, error)

// SQLKeywords are libinjection's words, phrases, operators and fingerprints in upper case, each with its kind of token; 'F' marks a
// fingerprint, which begins with 0. It must not be changed.
//
//go:linkname SQLKeywords github.com/corazawaf/libinjection-go.sqlKeywords
var SQLKeywords map[string]byte
