package gate

import (
	_ "unsafe" // go:linkname

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
)

// The gate decides with Coraza's own transformations, operators and body processors, so that it cannot read a value in
// another way than the engine does. Coraza registers them in internal packages and has no public way to look one up; they
// are reached by name, and a version of Coraza that names them otherwise does not link.

//go:linkname getTransformation github.com/corazawaf/coraza/v3/internal/transformations.GetTransformation
func getTransformation(name string) (plugintypes.Transformation, error)

//go:linkname getOperator github.com/corazawaf/coraza/v3/internal/operators.Get
func getOperator(name string, options plugintypes.OperatorOptions) (plugintypes.Operator, error)

//go:linkname getBodyProcessor github.com/corazawaf/coraza/v3/internal/bodyprocessors.GetBodyProcessor
func getBodyProcessor(name string) (plugintypes.BodyProcessor, error)

// MatchesArbitraryBytes reports whether Coraza reads the pattern of an @rx as bytes instead of characters.
//
//go:linkname MatchesArbitraryBytes github.com/corazawaf/coraza/v3/internal/operators.matchesArbitraryBytes
func MatchesArbitraryBytes(expr string) bool
