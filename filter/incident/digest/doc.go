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
// # Streams
//
// Records that come from a log with positions, such as a partition of a topic, are digested in sections, which begin and end where the records
// say so. A digest then names the span that it sums up. Whoever reads the same span again makes the same digest, so that a reader may be
// killed at any time and another one go on where it has committed: what came before is known by its positions. The aggregator decides on a
// window when the digests of all partitions are past it, by the times of their records or because nothing more was there to read, and
// waits some minutes for partitions that are silent. Spans that overlap without being the same count twice.
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
