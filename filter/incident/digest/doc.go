// Package digest joins the observations of many nodes: each node sends digests of what its records contribute, and an aggregator makes
// incidents of them.
//
// # What it guarantees
//
// The same records give the same incidents, however they are spread over nodes, as long as no digest comes later than the aggregator waits.
//
// # Why that holds
//
// A digest sums up windows of ten seconds of event time. What records of a window have in common is a group, with sums, least values and
// sets of bounded size. To join two digests is commutative and associative, so that a window has the same content whichever nodes its
// records came to, and however many digests they were sent in. The aggregator joins windows, waits for stragglers, and gives the
// correlator the content of one window after the other in one order: that of time, and for what happened at the same time that of the
// content.
//
// Bounded sets stay commutative because they keep the least elements: those that a set of all nodes would keep are among the least of
// each node.
//
// # What is lost
//
// Attacks keep their times to the millisecond, and everything that detectors use of them. Other records lose the order within the quarter
// of a second in which the first of their group came, credentials are hashes of 32 bits, ids hashes of 24, and responses are rounded to 256
// bytes. A group keeps at most 4,096 ids and 256 attacks; beyond, only their number.
//
// # What may go wrong
//
// A digest has the name of the run of its node and a number. One that comes again is ignored. Nodes may join and leave at any time, and a node that
// starts again is another one. A digest that comes too late is taken at once, at the times of its records: the correlator tolerates a
// minute. A digest that was changed, or was made without the salt of incident_rules that the aggregator has, is refused.
package digest
