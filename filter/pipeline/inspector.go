package pipeline

// inspector finds the verdicts on the records of chunks, counts them and has their alerts written. Chunks come from the host's thread, and from
// the queue of those that are inspected beside the pipeline.
type inspector struct {
	evaluator   *evaluator
	batches     batches
	writer      *alertWriter
	counts      *recordCounts
	noHTTP      *noHTTP
	correlation *correlation // nil unless incidents are found
	incidentTag string       // of events about incidents

	inLine       *verdictHandler       // for alerts that go into the record
	afterwards   *verdictHandler       // for the same, where alerts name their incidents
	delivered    *verdictHandler       // for alerts that go to destinations
	evaluateInto func(*item, *scratch) // with inLine; a closure for each chunk would cost an allocation
}

// prepare finds out when alerts are written: where they name incidents, once these are known.
func (i *inspector) prepare(allMatches bool) {
	i.afterwards = &verdictHandler{allMatches: allMatches, onAlert: i.writer.writeAlert}
	i.delivered = &verdictHandler{allMatches: allMatches, onAlert: i.writer.writeEmit}
	if i.inLine = i.afterwards; i.namesIncidents() {
		i.inLine = &verdictHandler{allMatches: allMatches, onAlert: deferAlert}
	}
	i.evaluateInto = func(it *item, s *scratch) { i.evaluator.evaluate(it, s, i.inLine) }
}

// namesIncidents reports whether alerts are written when their incidents are known. Those of nodes that send digests name none.
func (i *inspector) namesIncidents() bool {
	return i.correlation != nil && i.correlation.digests == nil
}

// evaluateToDeliver is evaluateInto for alerts that go to destinations.
func (i *inspector) evaluateToDeliver(it *item, s *scratch) {
	h := i.delivered
	if i.namesIncidents() {
		h = i.inLine // the alert is written afterwards
	}
	i.evaluator.evaluate(it, s, h)
}

// count counts the records of a batch, and warns when none has been HTTP so far.
func (i *inspector) count(b *batch) {
	i.counts.count(b)
	i.noHTTP.watch(b)
}

// countAll counts all records of a chunk as of one kind.
func (i *inspector) countAll(chunk []byte, kind Kind) {
	b := i.batches.get(chunk, "")
	defer i.batches.put(b)
	for at := range b.items {
		b.items[at].kind = kind
	}
	i.counts.count(b)
}

// abandon counts the records of a chunk as broken when a panic has kept them from being counted: they pass as they came.
func (i *inspector) abandon(chunk []byte, out *Outcome) {
	if out.counted {
		return
	}
	defer func() {
		if recover() != nil { // reading the chunk is what panics
			i.counts.counts.Broken.Add(1)
		}
	}()
	i.countAll(chunk, Broken)
}

// writeUnwritten writes the alerts of senders over their budget.
func (i *inspector) writeUnwritten(b *batch) {
	if b.first(unwritten) < 0 {
		return
	}
	b.budget = 0
	b.parallel(func(it *item, s *scratch) {
		if it.kind == unwritten {
			i.evaluator.writeKnown(it, s, i.inLine)
		}
	})
}

// correlate finds the incidents of an evaluated batch, then has its alerts written, which name them, and returns the events. Without
// incidents alerts are written already.
func (i *inspector) correlate(b *batch, name, tag string, h *verdictHandler) (emits []Emit) {
	if i.correlation == nil {
		return nil
	}
	emits = i.writer.appendNews(emits, i.correlation.correlate(b, name), tag)
	if !i.namesIncidents() || b.first(Alert) < 0 {
		return emits
	}
	b.budget = 0
	b.parallel(func(it *item, s *scratch) {
		if it.kind == Alert {
			i.evaluator.writeKnown(it, s, h)
		}
	})
	return emits
}
