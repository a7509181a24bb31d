package main

import "regexp"

// phrases are the habits that reviews of this project's English found most often. They match whole words in any case.
var phrases = []phrase{
	avoid(`leaves? (?:it |them )?(?:out|away)|left (?:out|away)|leaving (?:out|away)`, "write exclude, skip or omit"),
	avoid(`taken out of|takes? (?:\w+ ){1,4}out of (?:alerts|records)`, "write redact or remove"),
	avoid(`refuses? (?:the )?start|refused at the start`, "write prevents startup"),
	avoid(`remembered verdicts?|verdicts? (?:is|are|was|were) remembered`, "write cached verdict"),
	avoid(`judged|judges`, "write evaluated"),
	avoid(`proven clean|gate proves`, "write: the prefilter rules out"),
	avoid(`is told|are told|told otherwise`, "write is reported, is logged or gets"),
	avoid(`alerts? leaves?`, "write: an alert is emitted"),
	avoid(`blanks`, "write spaces"),
	avoid(`comes? along|brings? along|brings? others along`, "write: is loaded automatically"),
	avoid(`cannot be meant`, "write: is invalid"),
	avoid(`false alarms?`, "write false positive"),
	avoid(`look-ups?`, "write lookup"),
	inTexts(`tells?`, "write shows, reports, explains or logs"),
	inTexts(`says (?:what|which|how|why|where|whether|when)|says so`, "write shows, names or explains"),
	inTexts(`those of|that of`, "repeat the noun"),
	inTexts(`own rules|rules? of (?:your|our|its|their) own|of our own`, "write custom or bundled"),
	inTexts(`(?:records|alerts|requests|datagrams|messages|lines|attacks) a second`, "write per second"),
}

// avoid is a phrase that is avoided everywhere.
func avoid(pattern, instead string) phrase {
	return phrase{pattern: regexp.MustCompile(`(?i)\b(?:` + pattern + `)\b`), instead: instead}
}

// inTexts is a phrase that is avoided where users read it. Comments in code may have it.
func inTexts(pattern, instead string) phrase {
	p := avoid(pattern, instead)
	p.usersOnly = true
	return p
}
