// Package incident makes incidents of observations: it shows who does what to whom, since when, and whether it worked, which no single
// record does.
//
// Observations go in one after the other, in the order of their records; opened, updated and closed incidents come out. The package knows
// nothing of record formats, of how HTTP is read, and of where incidents go.
//
// # What it guarantees
//
// The same observations in the same order give the same incidents, whether records are read as they are written or years later. There is
// no clock but that of the events, no random number, and no iteration over maps. Records may be out of order by a minute.
//
// Memory is bounded by construction: every table has a fixed number of rows, every row a fixed size, and every list of an incident a
// longest length. A clean record allocates nothing. What makes room for something else is counted (Counts).
//
// Whoever invents sources evicts none that is real: a source gets a row at its second sighting, first alert or first response that is
// large enough for a disclosure, among newcomers, whose rows are few. It moves to the known ones when it has been seen three times in more
// than a minute, and a row there is safe for an hour after each use.
//
// # What makes it quiet
//
// Novelty alone opens nothing; it makes something worse that is known to be bad. Each detector uses, besides its threshold, what tells an
// attack from the harmless traffic that looks like it:
//
//	campaign     alerts that known clients cause on the same route day by day count nothing; texts that one client writes on one route
//	             need more; outside sources that only hit what does not exist are background; the same tool from many addresses is one
//	probing      routes that once answered do not count, nor what several others miss as well, nor pictures; a share of the source's
//	             requests must miss; what only bots ask for is background
//	brute-force  the same credentials again count once, so that an expired token is none; a client that was let in before counts less;
//	             many sources with one attempt each count only when they are strangers, and strangers usually get in; a success is
//	             worse only where credentials, or a route named like a login, show that they were tried
//	spread       a source that talks to many targets anyway is a proxy
//	pivot        the attack before must have been meant for the target, and not refused; what a service passes on is an echo, by trace or
//	             by the values that matched, also when its record comes first
//	enumeration  a multiple of what 99 % of the route's principals get, and of the most that this one has got before; a route whose ids
//	             many principals ask for is a public catalog; one of ours that reads much is of low severity, once; what changes from
//	             request to request, such as pages, times and sessions, is no id
//	disclosure   the same, in bytes and in sensitive items
//
// Baselines are quantiles of histograms, which a few large values do not move, and learn nothing from actors that attack.
//
// # Words
//
// A source is a client, a principal the one whose credentials it uses, an actor the principal where it is known and else the source. A
// target is a service, a route a method and a path of it without ids. A newcomer is a source that was not here before, a tool what
// newcomers with the same user agent against one target have in common. A target is infected while it may do what an attacker wants.
package incident
