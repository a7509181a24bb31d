package collect

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/kafka"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// intakes are the places where records arrive.
type intakes struct {
	*receive.Receiver
	stdin  io.Reader // nil unless it is listened to
	topics []*kafka.Consumer
}

// queueShare is the part of queue_limit that is fetched from a broker at a time: records take several times as much once they are unpacked
// and decoded.
const queueShare = 8

const listenForms = "udp://HOST:PORT, tcp://HOST:PORT, " + kafka.Form + " or -"

// listen opens all places of the setting listen and begins to receive; settings gets what is wrong.
func listen(settings *setting.Reader, c *cli.Console, caught recovery.Caught) *intakes {
	s := receive.ReadSettings(settings)
	in := &intakes{}
	before := len(settings.Problems())
	list := kafka.Join(settings.List("listen"))
	warn := func(line string) { c.Say("warning: " + line) }
	for _, text := range list {
		if text == "-" {
			in.stdin = c.In
			continue
		}
		if kafka.Is(text) {
			topic, err := kafka.NewConsumer(text, s.QueueLimit/queueShare, warn, caught)
			if err != nil {
				settings.Problem("listen", err)
			}
			in.topics = append(in.topics, topic)
			continue
		}
		place, err := receive.ReadPlace(text)
		if err != nil {
			settings.Problem("listen", fmt.Errorf("malformed address %q (want %s)", text, listenForms))
			continue
		}
		s.Places = append(s.Places, place)
	}
	for _, destination := range kafka.Join(settings.List("alert_to")) {
		if kafka.Is(destination) && slices.ContainsFunc(list, func(text string) bool { return kafka.Is(text) && kafka.IsSame(text, destination) }) {
			settings.Problem("alert_to", fmt.Errorf("records also come from %s (want another topic)", kafka.Name(destination)))
		}
	}
	if len(list) == 0 {
		settings.Problem("listen", fmt.Errorf("empty (want %s)", listenForms))
	}
	receiver, err := receive.Open(s, warn)
	if err != nil {
		settings.Problem("listen", err)
	}
	in.Receiver = receiver
	if len(settings.Problems()) > before {
		in.closeAll()
	}
	return in
}

// places says where records are awaited, with the ports that the system has chosen.
func (in *intakes) places() []string {
	var all []string
	for _, p := range in.Places() {
		all = append(all, p.String())
	}
	for _, topic := range in.topics {
		all = append(all, topic.Name())
	}
	if in.stdin != nil {
		all = append(all, "standard input")
	}
	return all
}

// Run receives until ctx ends or, when the standard input is the only place, until that ends. It returns when everything
// that was received is in the queue.
func (in *intakes) Run(ctx context.Context) {
	ended := make(chan struct{})
	if in.stdin != nil {
		go func() {
			defer close(ended)
			recovery.Once(in.Caught("standard input"), func() { in.Stream(in.stdin, netip.Addr{}) })
		}()
	}
	if in.stdin != nil && len(in.Places())+len(in.topics) == 0 {
		select {
		case <-ended:
		case <-ctx.Done():
		}
	} else {
		<-ctx.Done()
	}
	in.Close(evaluation.DrainTime)
	if in.stdin != nil {
		// A terminal or an idle pipe cannot be interrupted; what it has given by now is in the queue soon.
		select {
		case <-ended:
		case <-time.After(evaluation.DrainTime):
		}
	}
}

// closeAll ends what has not been run.
func (in *intakes) closeAll() {
	if in.Receiver != nil {
		in.Queue.Abandon()
		in.Close(0)
		in.Receiver = nil
	}
}

// summary says what was received, and what was not.
func (in *intakes) summary() string {
	c := in.Counts()
	parts := []string{"received " + cli.Count(c.Records, "record")}
	for _, loss := range []struct {
		n    uint64
		text string
	}{
		{c.Invalid, "not JSON"},
		{c.KernelDrops, "dropped by the kernel"},
		{c.QueueDrops, "dropped because the queue was full"},
		{c.Denied, "not allowed"},
		{c.Limited, "above the source rate"},
		{c.Refused, "connections refused"},
		{c.Idle, "connections closed as idle"},
		{c.Displaced + c.Crowded, "connections closed to make room for others"},
		{c.Cut, "unfinished lines lost with them"},
	} {
		if loss.n > 0 {
			parts = append(parts, cli.Grouped(loss.n)+" "+loss.text)
		}
	}
	return strings.Join(parts, ", ")
}
