// Package prefilter is the prefilter in front of Coraza. It decides which transactions the engine need not evaluate.
//
// # Claim
//
// [Prefilter.Ask] claims some of four things about a transaction, and each is certain:
//
//   - Clean: if Coraza evaluated all rules, no alerting rule would match.
//   - Passes: no rule that blocks would match. Detection rules may match, but together they add up to a score that the engine has been
//     seen to let pass.
//   - Idle: if Coraza evaluated the rule, it would not match and would leave nothing behind, so it can be removed from the transaction
//     before the engine runs.
//   - Findings and outline: the verdict of the engine, with all that it says. The engine has evaluated the same combination of counting
//     rules before, which decides the scores and what follows from them; what these rules match here is found as the engine would
//     (findings.go).
//
// It never claims the opposite. A transaction that is not clean is a candidate, and the verdict is Coraza's, or one equal to it. The prefilter must never
// report false negatives; false positives cost time only.
//
// # Invariant
//
// The prefilter follows Coraza's order of evaluation: phases 1 to 5, and the rules of each phase in the order in which they were loaded. A
// rule is decisive from the link of its chain on that alerts or does something that the prefilter does not follow: an unsupported action, a
// change of the engine's settings, the removal of something that others rely on. The invariant is:
//
//	Before each rule, if no decisive link has matched so far, every variable that the rule reads has one of the values that the
//	prefilter assumes.
//
// # Why it holds
//
// By induction over the order of evaluation. It holds before the first rule, because package variables computes the variables of a request
// in the same way as Coraza does, and leaves every request for which that is not certain to the engine. Suppose it holds before a rule.
// Then the tests of that rule, which are compiled from Coraza's own rule, can match whenever Coraza's can: what is known is compared with
// Coraza's own operators and transformations, what is unknown counts as a match. If a decisive link can match, the transaction is a
// candidate, and nothing more has to be shown. Otherwise the rule can only have written TX variables, selected a body processor, or skipped
// and removed rules, and each of these is followed:
//
//   - A TX variable is static if only rules write it that read static variables; then it has the value that it has in the baseline
//     (dataflow.go). If it is not static, all values that the writes before can give it are assumed, or any value (values.go).
//   - The body processor is computed by rules whose outcome is known exactly (ask.go, applyEffects); if it is not, they are decisive.
//   - Skips and removals only take matches away. Where a rule that the prefilter relies on could be missing, they are decisive (control.go).
//
// The baseline is what the engine makes of two plain requests, with and without a response. [New] has the prefilter evaluate both, and
// rejects the rule set unless both are clean: only then has the engine seen what it sees for every clean transaction.
//
// Idle needs more, because rules run there in a transaction in which decisive links may have matched: the first link of an idle rule
// reads nothing that any other rule can change (numberFastPatterns, idleRulesStayIdle).
//
// Outcomes for values that repeat are cached (value_cache.go). A key is made of all values that the cached tests select, which are all that
// they read.
//
// # What is assumed about Coraza
//
//   - The compiled rules that internal/corazalink reads are the rules that run. SecLang text is not read here; updates of rules by id, tag
//     and message have been applied when the prefilter sees them.
//   - The supported operators depend on the value and their argument only, or report that they gave up (Limited), which counts as a match.
//     Body parsers and transformations depend on their input only.
//   - Names of collections are compared after strings.ToLower (target.go does the same, and it is the only comparison of names).
//   - Coraza caches transformations within a phase by variable, key and position. Targets for which such an entry can be stale are
//     unsupported (dataflow.go, cached).
//
// Tests compare each of these with the pinned release: see docs/exactness.md.
//
// # Everything else is a candidate
//
// supported.go lists the operators and actions that the prefilter understands, variables/sources.go the variables and transform/reports.go
// the transformations under multiMatch. What is not on the list is an unsupported construct: its rule is a candidate for every transaction
// on which the links before that construct can match. A rule set in which such a rule always runs gets an error that names the rule, its
// place and the construct; the engine then evaluates every transaction.
//
// # Glossary
//
//   - target: a variable as a rule names it, with its key, exclusions and the count operator &. Variable, collection, TX, chain, phase,
//     transformation, operator, action and marker are SecLang's terms.
//   - link: one of the rules of a chain. A rule without chained rules has one.
//   - test: a link as the prefilter evaluates it: targets, transformation pipeline, operator, and the literal set that every match contains.
//   - literal set: texts of which at least one is in every value that matches, found for all rules at once by a multi-pattern matcher
//     (packages regex and literalset).
//   - fast pattern: the one test of a chain whose match on a single value makes the chain worth evaluating (buffer.go). Chains without such
//     a test are evaluated directly.
//   - inspection buffer: the values that the same fast patterns look at, such as the values of one header (buffer.go).
//   - transformation pipeline: the transformations of a test in order. The pipelines of all rules form a tree of steps (package transform);
//     a stage is a step in one inspection buffer, with the fast patterns that look at its result.
//   - traits: which kinds of bytes a value has. They show which steps cannot change it.
//   - prose: a text of ASCII letters, digits, whitespace, dots, commas and hyphens; any other byte is a sign. Tests that match nothing
//     without a sign are not tried on prose, and steps that make prose of prose are not taken for them (compile.go, buffer.go).
//   - lazy DFA: an automaton for regular expressions whose states are made when they are reached (package regex).
//   - union: tests that look at the same text, ruled out together by one lazy DFA of all their expressions (union.go).
//   - candidate rule: a rule that can match the transaction as far as the prefilter knows. A candidate is a transaction that has one.
//   - unsupported construct: what the prefilter does not understand; a test with one is unknown, and taken to match.
//   - TX data flow: which rules write and read which TX variables (dataflow.go). A producer is a chain whose writes another chain reads.
//   - static, dynamic: whether what a rule does is the same for every clean transaction. Invariant is stronger: the same for candidates, too.
//   - divert: what a chain does whose match the prefilter does not follow.
//   - counting rule: a detection rule that only adds to the anomaly score. What the engine makes of a combination of counting rules is
//     learned (counting.go).
//   - finding: the match of a counting rule, with its message and the values that matched, as the engine reports it.
//   - derived rule: an alerting rule that looks at nothing but scores, so that its match follows from the combination.
package prefilter
