package pipeline

// Alerts evaluates a chunk for destinations that get it again when they fail, and returns its alerts in record order, and the events about
// incidents. A chunk with a name that was seen before gives the incidents that it gave then, until Forget.
func (p *Pipeline) Alerts(chunk []byte, tag, name string) (emits []*Emit) {
	i := &p.inspector
	b := i.batches.get(chunk, tag)
	defer i.batches.put(b)
	b.each(i.evaluateToDeliver)
	incidents := i.correlate(b, name, tag, i.delivered)
	i.count(b)
	for at := range b.items {
		if e := b.items[at].emit; e != nil {
			e.Tag = tag
			emits = append(emits, e)
		}
	}
	for at := range incidents {
		emits = append(emits, &incidents[at])
	}
	return emits
}

// Forget drops what is kept of a chunk that will not come again.
func (p *Pipeline) Forget(name string) { p.inspector.correlation.forget(name) }

// Offer reports whether flood control lets an alert out now.
func (p *Pipeline) Offer(e *Emit) bool { return p.inspector.writer.offer(e) }

// HoldsBack reports whether something becomes ready beside records: summaries of flood control, incidents, or digests.
func (p *Pipeline) HoldsBack() bool {
	return p.inspector.writer.flood != nil || p.inspector.correlation != nil
}
