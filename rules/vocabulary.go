package rules

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/cache"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// LargeTransaction is the size in bytes from which even the prefilter may take milliseconds.
const LargeTransaction = model.LargeTransaction

// The vocabulary that users of rule sets share with the packages below.
type (
	Transaction = model.Transaction
	Header      = model.Header
	Parts       = model.Parts
	Partial     = model.Partial
	Verdict     = model.Verdict
	Match       = model.Match
	RuleInfo    = model.RuleInfo
	Score       = model.Score
	Severity    = model.Severity

	Config     = load.Config
	Assignment = load.Assignment

	Key   = cache.Key
	Usage = cache.Usage

	Explanation  = engine.Explanation
	Matched      = engine.Matched
	MatchedValue = engine.MatchedValue
	Reason       = engine.Reason
	Step         = engine.Step
	Threshold    = engine.Threshold
	Variable     = engine.Variable
)

// The parts of a transaction.
const (
	PartRequest          = model.PartRequest
	PartTarget           = model.PartTarget
	PartQuery            = model.PartQuery
	PartEscapes          = model.PartEscapes
	PartProtocol         = model.PartProtocol
	PartHost             = model.PartHost
	PartHostName         = model.PartHostName
	PartUserAgent        = model.PartUserAgent
	PartReferer          = model.PartReferer
	PartCookie           = model.PartCookie
	PartAccept           = model.PartAccept
	PartContentType      = model.PartContentType
	PartContentLength    = model.PartContentLength
	PartTransferEncoding = model.PartTransferEncoding
	PartOtherHeaders     = model.PartOtherHeaders
	PartBody             = model.PartBody
	PartBodyEnd          = model.PartBodyEnd
	PartClient           = model.PartClient
	PartServer           = model.PartServer
	PartStatus           = model.PartStatus
	PartResponseHeader   = model.PartResponseHeader
	PartResponseBody     = model.PartResponseBody
	PartResponseEnd      = model.PartResponseEnd
	PartRequestHeaders   = model.PartRequestHeaders
	PartUnnamedHeaders   = model.PartUnnamedHeaders
	AllParts             = model.AllParts
)

// The parts that can be inspected in part.
const (
	PartialHeaders   = model.PartialHeaders
	PartialArguments = model.PartialArguments
	PartialBody      = model.PartialBody
	PartialResponse  = model.PartialResponse
	PartialRules     = model.PartialRules
)

// Properties are the settings of a rule set in the order in which help lists them.
func Properties() []setting.Property { return load.Properties() }

// ReadConfig reads the settings of a rule set; problems stay in the reader.
func ReadConfig(r *setting.Reader) Config { return load.ReadConfig(r, engine.NewVocabulary()) }

// SeverityName returns the name of a severity in ModSecurity's numbers, for instance critical for 2.
func SeverityName(number int) string { return model.SeverityName(number) }

// Notice returns a match that stands for no rule.
func Notice(severity int, message string) Match { return model.Notice(severity, message) }
