// Package inline evaluates HTTP transactions while they take place, for commands that stand in the request path or are asked by
// something that does. A request becomes a record like that of a Nano probe, and takes the path of every record: the same rules give the
// verdict, and the same alert goes to the same destinations. What is added is a decision before the request goes on.
//
// Commands that see requests alone call Evaluate. Commands that see responses, too, call Begin, Respond and End.
package inline

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/outbox"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Engine evaluates transactions with one set of rules, and delivers their alerts. It is safe for concurrent use.
type Engine struct {
	Settings

	console  *cli.Console
	filter   *filter.Filter
	outboxes []*outbox.Outbox
	counts   counts
	realIP   string // canonical name of the header
	response atomic.Pointer[responseRules]

	stop    chan struct{}
	running sync.WaitGroup
}

// Open returns an engine with the settings that a reader has given, or all problems of it and of the filter. The getter has what the
// reader reads, and the settings of the filter. Run must be called before requests are evaluated.
func Open(s Settings, get setting.Getter, r *setting.Reader, c *cli.Console) (*Engine, error) {
	e := &Engine{Settings: s, console: c, stop: make(chan struct{}), realIP: http.CanonicalHeaderKey(s.RealIPHeader)}
	e.counts.start()
	from := filterSettings{get}
	limit := setting.NewReader(from, filter.Properties()).Size("emit_limit") // filter.New reports what is wrong with it
	producer := filter.Producer{Program: "wafctl", Inline: true, Blocks: s.Mode == On}
	f, problems := filter.New(c.Host.As(producer), from, c.Log(true))
	e.filter = f
	var err error
	if e.outboxes, err = outbox.Open(s.Destinations, c, limit, e.caught); err != nil {
		r.Problem("alert_to", err)
	} else if err := delivery.CheckDigests(s.Destinations, from.Get("incident_digest_tag") != ""); err != nil {
		r.Problem("alert_to", err)
	}
	if err := errors.Join(problems, r.Err()); err != nil {
		e.Discard()
		return nil, err
	}
	f.MeasureDelivery(e.stats)
	f.Measure(&e.counts)
	return e, nil
}

// caught counts a panic of a delivery.
func (e *Engine) caught(cause any, stack []byte) { e.filter.Caught("delivery")(cause, stack) }

func (e *Engine) stats() []delivery.Stats { return outbox.Stats(e.outboxes) }

// Discard ends an engine that was not run.
func (e *Engine) Discard() {
	for _, o := range e.outboxes {
		o.Discard()
	}
	if e.filter != nil {
		e.filter.Close()
	}
}

// Filter returns the filter, for what commands report of it.
func (e *Engine) Filter() *filter.Filter { return e.filter }

// Run starts to deliver alerts, and compiles what the first requests need.
func (e *Engine) Run(ctx context.Context) {
	for _, o := range e.outboxes {
		go o.Run(e.filter.Caught("delivery"))
	}
	e.running.Go(func() {
		recovery.Once(e.filter.Caught("summaries"), func() { outbox.SendDue(e.filter, e.stop, func(ready func() []filter.Emit) { e.send(ready()) }) })
	})
	e.warmUp(ctx)
}

const warmUpTime = time.Minute

// warmUp compiles the rules for requests with and without a response: the first requests would wait for that, or pass without inspection.
func (e *Engine) warmUp(ctx context.Context) {
	if e.Mode == Off {
		return
	}
	local := netip.AddrPortFrom(netip.IPv6Loopback(), 80)
	r := &Request{Head: []byte("GET /?warm=up HTTP/1.1\r\nHost: localhost\r\n\r\n"), Client: local, Server: local}
	reply := &Response{Status: http.StatusOK, Head: []byte("HTTP/1.1 200\r\nContent-Type: text/html\r\n\r\n"), Body: []byte("ok")}
	e.filter.Evaluate(ctx, appendEvent(nil, r, &ending{}), warmUpTime)
	e.filter.Evaluate(ctx, appendEvent(nil, r, &ending{status: reply.Status, response: reply}), warmUpTime)
	attack := &Request{Head: []byte("GET /?warm=up'+or+1=1--+union+select+1 HTTP/1.1\r\nHost: localhost\r\n\r\n"), Client: local, Server: local}
	e.filter.Evaluate(ctx, appendEvent(nil, attack, &ending{}), warmUpTime)
}

// Close ends the engine once no more transactions are evaluated. It waits until alerts are delivered, or their destinations are given
// up, and reports how many were.
func (e *Engine) Close() []Delivered {
	close(e.stop)
	e.running.Wait()
	var all []Delivered
	for _, o := range e.outboxes {
		o.Last()
	}
	for _, o := range e.outboxes {
		taken, lost := o.Close()
		all = append(all, Delivered{Destination: o.Destination(), Taken: taken, Lost: lost})
	}
	if err := e.filter.Close(); err != nil {
		e.console.Say("warning: " + err.Error())
	}
	return all
}

// Delivered is how many alerts a destination has taken, and how many it has not.
type Delivered struct {
	Destination string
	Taken, Lost uint64
}

// send puts alerts into all outboxes. It never waits: a request would.
func (e *Engine) send(emits []filter.Emit) {
	if len(emits) == 0 {
		return
	}
	messages := outbox.Messages(emits)
	for _, o := range e.outboxes {
		o.Offer(messages)
	}
	for i := range emits {
		e.filter.EmitTaken(&emits[i])
	}
}

// Client returns the address of the client of a connection: what a trusted proxy reports in the header for real addresses, and else the
// peer. The header's names are canonical.
func (e *Engine) Client(peer netip.AddrPort, header http.Header) netip.AddrPort {
	peer = netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
	if len(e.Proxies) == 0 {
		return peer
	}
	values := header[e.realIP]
	if len(values) == 0 {
		return peer
	}
	reported, err := netip.ParseAddr(e.Proxies.Resolve(peer.Addr().String(), strings.Join(values, ",")))
	if err != nil || reported == peer.Addr() {
		return peer
	}
	return netip.AddrPortFrom(reported, 0)
}

// Trusts reports whether an address belongs to a trusted proxy.
func (e *Engine) Trusts(peer netip.Addr) bool {
	return e.Proxies.Trusts(peer.Unmap().WithZone("").String())
}

// responseRules says which responses without a body to inspect the rules look at all the same.
type responseRules struct {
	loaded string // identity of the rules
	always bool   // some rule may alert on any response
}

// NeedsHead reports whether rules look at a response of which only the head is to be inspected.
func (e *Engine) NeedsHead(status int) bool {
	known := e.response.Load()
	if id := e.filter.RuleSetID(); known == nil || known.loaded != id {
		known = &responseRules{loaded: id, always: slices.ContainsFunc(e.filter.Rules(), looksAtHeads)}
		e.response.Store(known)
	}
	return known.always || status >= http.StatusInternalServerError
}

// errorStatusRule finds errors of the server. It is the only rule of the Core Rule Set that needs no more than the head of a response.
const errorStatusRule = 950100

func looksAtHeads(r rules.Loaded) bool { return r.Detection && r.Phase == 3 && r.ID != errorStatusRule }
