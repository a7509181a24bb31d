package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// ConsumerOptions are the options of a topic that records come from.
func ConsumerOptions() []setting.Property {
	return append([]setting.Property{
		{Name: "group", Default: "waf", Help: "consumer group; its members share the partitions"},
		{Name: "start", Default: "earliest", Values: []string{"earliest", "latest"}, Help: "where a group without committed offsets starts"},
		{Name: "instance", Help: "name of this member that stays the same across restarts: a restart within session-timeout moves no partition"},
		{Name: "session-timeout", Default: "45s", Help: "how long a member may be silent before others take its partitions"},
	}, securityOptions...)
}

const (
	shortestSession = time.Second
	longestSession  = 30 * time.Minute

	// Several heartbeats may be lost before a member counts as gone.
	heartbeats    = 4
	heartbeatTime = 3 * time.Second

	commitInterval = time.Second
	settleInterval = 100 * time.Millisecond
	lagInterval    = 5 * time.Second
	warnEvery      = 12 // looks at the lag
	requestTime    = 5 * time.Second

	// handoverTime is how long partitions that move to another member wait for the alerts of their records: the other one then starts
	// behind these, and alerts of a source stay in order. What takes longer is evaluated and delivered twice.
	handoverTime = 10 * time.Second
	// rebalanceTime is how long the group waits for members that do not answer while partitions move, killed ones among them.
	rebalanceTime = 2 * handoverTime

	// pollRecords bounds the records of a batch.
	pollRecords = 2000

	leastFetch     = 1 << 20
	mostFetch      = 64 << 20
	partitionFetch = 1 << 20
	fetches        = 2 // answers of brokers that are under way or wait
)

// Consumer is a member of a consumer group. Poll is for one goroutine.
type Consumer struct {
	options []kgo.Opt
	client  *kgo.Client // nil until it is started
	admin   *kadm.Client
	name    string // of the topic, without options
	topic   string
	warn    func(line string)
	caught  recovery.Caught
	end     chan struct{}
	helper  sync.WaitGroup
	digests *progress // nil unless its records are digested

	handing    sync.Mutex // held while partitions are handed over
	keeps      bool       // partitions until Close; under handing
	unanswered int        // looks at the lag, for the goroutine that does

	mu      sync.Mutex
	polls   uint64
	pending []*Batch        // polled and not finished, the oldest first
	lag     map[int32]int64 // of the partitions that the member has, once it is known
}

// Batch is some records of one poll, those of a partition in their order.
type Batch struct {
	Records []*kgo.Record

	next      map[int32]kgo.EpochOffset // where partitions go on behind the batch
	poll      uint64
	mu        sync.Mutex
	delivered func() bool // nil until the records were evaluated
}

// Evaluated says that the records were evaluated, and how to find out whether their alerts are delivered.
func (b *Batch) Evaluated(delivered func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Records, b.delivered = nil, delivered
}

func (b *Batch) isFinished() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.delivered != nil && b.delivered()
}

// NewConsumer reads a place. Memory is about what is fetched from each broker at a time. Problems with brokers, which are tried again, go to
// warn.
func NewConsumer(text string, memory int64, warn func(line string), caught recovery.Caught) (*Consumer, error) {
	a := parse(text, ConsumerOptions())
	c := &Consumer{name: Name(text), topic: a.topic, warn: warn, caught: caught, end: make(chan struct{}), lag: map[int32]int64{}}
	start := kgo.NewOffset().AtStart()
	if a.Word("start") == "latest" {
		start = kgo.NewOffset().AtEnd()
	}
	session := a.Duration("session-timeout", shortestSession, longestSession)
	fetch := int32(min(max(memory/fetches, leastFetch), mostFetch))
	c.options = append(a.options(warn), kgo.ConsumerGroup(a.Text("group")), kgo.ConsumeTopics(a.topic), kgo.ConsumeResetOffset(start),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.BlockRebalanceOnPoll(), kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitInterval),
		kgo.FetchMaxBytes(fetch), kgo.FetchMaxPartitionBytes(min(fetch, partitionFetch)), kgo.MaxConcurrentFetches(fetches),
		kgo.RebalanceTimeout(rebalanceTime), kgo.SessionTimeout(session), kgo.HeartbeatInterval(min(session/heartbeats, heartbeatTime)),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
			recovery.Once(caught, func() { c.handOver(ctx, client, revoked[c.topic]) })
			c.disown(revoked[c.topic])
		}),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) { c.own(assigned[c.topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { c.disown(lost[c.topic]) }))
	if instance := a.Text("instance"); instance != "" {
		c.options = append(c.options, kgo.InstanceID(instance))
	}
	if err := a.err(strconv.Quote(c.name)); err != nil {
		return nil, err
	}
	if err := kgo.ValidateOpts(c.options...); err != nil {
		return nil, fmt.Errorf("%q: %w", c.name, err)
	}
	return c, nil
}

// Start joins the group.
func (c *Consumer) Start() (err error) {
	if c.client, err = kgo.NewClient(c.options...); err != nil {
		return fmt.Errorf("listen on %s: %w", c.name, err)
	}
	c.admin = kadm.NewClient(c.client)
	c.helper.Go(func() { recovery.Loop(c.end, c.caught, c.watch) })
	return nil
}

// Name returns the topic as it was given, without options.
func (c *Consumer) Name() string { return c.name }

// Poll waits for records, until ctx ends. Errors of partitions and brokers are those of the last poll; the client goes on by itself.
func (c *Consumer) Poll(ctx context.Context) (*Batch, error) {
	defer c.client.AllowRebalance() // the batch is pending by then
	fetches := c.client.PollRecords(ctx, pollRecords)
	var problems []error
	fetches.EachError(func(_ string, partition int32, err error) {
		if ctx.Err() == nil {
			problems = append(problems, fmt.Errorf("partition %d: %w", partition, err))
		}
	})
	b := &Batch{next: map[int32]kgo.EpochOffset{}}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			last := p.Records[n-1]
			b.Records = append(b.Records, p.Records...)
			b.next[p.Partition] = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
		}
	})
	if len(b.Records) > 0 {
		c.mu.Lock()
		c.polls++
		b.poll = c.polls
		c.pending = append(c.pending, b)
		c.mu.Unlock()
	}
	return b, errors.Join(problems...)
}

// settle marks the offsets behind finished batches for the next commit.
func (c *Consumer) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.pending) > 0 && c.pending[0].isFinished() {
		if c.digests == nil {
			c.mark(c.pending[0].next)
		} else {
			c.digests.settle(c.pending[0].next)
		}
		c.pending[0] = nil
		c.pending = c.pending[1:]
	}
	if c.digests != nil {
		c.mark(c.digests.finished())
	}
}

// mark has offsets committed with the next commit.
func (c *Consumer) mark(next map[int32]kgo.EpochOffset) {
	c.client.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{c.topic: next})
}

// isPending reports whether records of any of the partitions are not finished.
func (c *Consumer) isPending(partitions []int32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.pending, func(b *Batch) bool {
		return slices.ContainsFunc(partitions, func(p int32) bool { _, has := b.next[p]; return has })
	})
}

// handOver finishes what was polled of partitions before others get them.
func (c *Consumer) handOver(ctx context.Context, client *kgo.Client, partitions []int32) {
	c.finish(ctx, partitions)
	client.CommitMarkedOffsets(ctx) //nolint:errcheck // others evaluate again what is not committed
}

// finish waits for the alerts of what was polled of partitions, and has their sections sealed and delivered.
func (c *Consumer) finish(ctx context.Context, partitions []int32) {
	c.handing.Lock()
	defer c.handing.Unlock()
	if c.keeps {
		return
	}
	end := time.Now().Add(handoverTime)
	wait := func(until func([]int32) bool) bool {
		for !until(partitions) && time.Now().Before(end) && ctx.Err() == nil {
			time.Sleep(settleInterval / 10)
			c.settle()
		}
		return until(partitions)
	}
	if wait(func(all []int32) bool { return !c.isPending(all) }) && c.digests != nil {
		c.digests.hooks.Seal(partitions)
		wait(c.digests.isFinished)
		c.settle()
	}
}

// EndHandovers has sections sealed no more when partitions move, and waits for those that are being sealed: their digests would come when
// nobody delivers them any more. It is called when nothing is evaluated any more.
func (c *Consumer) EndHandovers() {
	c.handing.Lock()
	defer c.handing.Unlock()
	c.keeps = true
}

// watch settles and looks at the lag until the end.
func (c *Consumer) watch() {
	settling, looking := time.NewTicker(settleInterval), time.NewTicker(lagInterval)
	defer settling.Stop()
	defer looking.Stop()
	c.look()
	for {
		select {
		case <-settling.C:
			c.settle()
		case <-looking.C:
			c.look()
		case <-c.end:
			return
		}
	}
}

// look finds out how far the member is behind the ends of its partitions. Until it knows, it keeps what it knew. It is also what warns of
// brokers that cannot be reached or refuse the member: the client just goes on trying.
func (c *Consumer) look() {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	asked := time.Now()
	ends, err := c.admin.ListEndOffsets(ctx, c.topic)
	if err != nil {
		c.complain(fmt.Errorf("no answer from the brokers: %w (are their names, TLS, user and password right?)", err))
		return
	}
	starts, err := c.admin.ListStartOffsets(ctx, c.topic)
	if err = errors.Join(err, ends.Error()); err != nil {
		c.complain(err)
		return
	}
	c.unanswered = 0
	committed := c.client.CommittedOffsets()[c.topic] // those of partitions that have some
	c.mu.Lock()
	defer c.mu.Unlock()
	for partition := range c.lag {
		end, known := ends.Lookup(c.topic, partition)
		start, _ := starts.Lookup(c.topic, partition)
		if known {
			c.lag[partition] = max(0, end.Offset-max(committed[partition].Offset, start.Offset))
			if c.digests != nil {
				c.digests.saw(partition, end.Offset, asked, c.lag[partition] == 0)
			}
		}
	}
}

// complain warns now and then of brokers that do not answer as they should.
func (c *Consumer) complain(err error) {
	if c.unanswered++; c.unanswered%warnEvery == 1 {
		c.warn(fmt.Sprintf("%s: %v", c.name, err))
	}
}

const unknownLag = -1

func (c *Consumer) own(partitions []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range partitions {
		c.lag[p] = unknownLag
	}
}

func (c *Consumer) disown(partitions []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range partitions {
		delete(c.lag, p)
	}
	if c.digests != nil {
		c.digests.lose(partitions, c.polls)
	}
}

// Collector returns the lag as a metric.
func (c *Consumer) Collector() prometheus.Collector {
	return metrics.Collecting(func(to chan<- prometheus.Metric) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for partition, lag := range c.lag {
			if lag == unknownLag {
				continue
			}
			metrics.KafkaLag.Send(to, float64(lag), c.topic, fmt.Sprint(partition))
		}
	})
}

// Close commits what is finished and leaves the group. It is called when alerts are delivered or given up, and nothing is polled any more.
func (c *Consumer) Close() {
	if c.client == nil {
		return
	}
	c.EndHandovers()
	close(c.end)
	c.helper.Wait()
	c.settle()
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	c.client.CommitMarkedOffsets(ctx) //nolint:errcheck // others evaluate again what is not committed
	c.client.CloseAllowingRebalance()
}
