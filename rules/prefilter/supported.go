package prefilter

// This file lists the operators and actions that the prefilter supports; variables/sources.go lists the variables, and transform/reports.go
// the transformations under multiMatch. What is on no list makes a rule a candidate for every transaction on which the links of its chain
// before that construct can match.

// operators are the operators of Coraza that look at the value alone and change nothing, by name in lower case. Those that capture set TX:0
// to TX:9 besides. The project's own operators come besides: see Rules.Own.
var operators = map[string]struct{ captures bool }{
	"beginswith": {}, "contains": {}, "detectsqli": {captures: true}, "detectxss": {}, "endswith": {}, "eq": {}, "ge": {}, "gt": {},
	"ipmatch": {}, "ipmatchf": {}, "ipmatchfromdataset": {}, "ipmatchfromfile": {}, "le": {}, "lt": {}, "nomatch": {},
	"pm": {captures: true}, "pmf": {captures: true}, "pmfromdataset": {captures: true}, "pmfromfile": {captures: true},
	"rx": {captures: true}, "streq": {}, "strmatch": {}, "unconditionalmatch": {}, "validatebyterange": {}, "validateurlencoding": {},
	"validateutf8encoding": {}, "within": {},
}

// inert are actions that change neither which rules run nor what they see. Actions that Coraza reads once, such as id, msg and severity,
// do not reach the prefilter. Disruptive ones count by the rule that has them: with SecRuleEngine DetectionOnly they change nothing.
var inert = map[string]bool{
	"allow": true, "auditlog": true, "block": true, "capture": true, "chain": true, "deny": true, "drop": true, "log": true, "logdata": true, "multimatch": true,
	"noauditlog": true, "nolog": true, "pass": true, "redirect": true, "status": true, "t": true, "initcol": true, "expirevar": true,
}

// inertControls are ctl actions that change neither which rules run nor what they see.
var inertControls = map[string]bool{"auditEngine": true, "auditLogParts": true, "debugLogLevel": true}
