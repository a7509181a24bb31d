package kafka

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const patience = 30 * time.Second

// seals are sections whose digests take until they are released.
type seals struct {
	begun, ended atomic.Int64
	release      chan struct{}
}

func (s *seals) Seal([]int32) {
	s.begun.Add(1)
	<-s.release
	s.ended.Add(1)
}

func (s *seals) Drop([]int32) {}

// member joins a group and reads until the test ends.
func member(t *testing.T, c *kfake.Cluster, hooks Sections) *Consumer {
	t.Helper()
	address := "kafka://" + strings.Join(c.ListenAddrs(), ",") + "/records?session-timeout=3s"
	m, err := NewConsumer(address, 1<<20, func(line string) { t.Log(line) }, func(cause any, _ []byte) { t.Error(cause) })
	require.NoError(t, err)
	m.Digest(hooks)
	require.NoError(t, m.Start())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if batch, _ := m.Poll(ctx); len(batch.Records) > 0 {
				batch.Evaluated(func() bool { return true })
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		m.Close()
	})
	return m
}

func (c *Consumer) owned() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lag)
}

// A member may end while some of its partitions move to others. What it still seals then has to be there before it stops delivering.
func TestTheEndWaitsForAHandover(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "records"), kfake.GroupMinSessionTimeout(time.Second))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic("records"))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	for n := range 40 {
		require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(n))).FirstErr())
	}
	slow, quick := &seals{release: make(chan struct{})}, &seals{release: make(chan struct{})}
	close(quick.release)
	first := member(t, c, slow)
	require.Eventually(t, func() bool { return first.owned() == 4 }, patience, time.Millisecond)
	second := member(t, c, quick)
	release := sync.OnceFunc(func() { close(slow.release) })
	t.Cleanup(release)
	require.Eventually(t, func() bool { return slow.begun.Load() == 1 }, patience, time.Millisecond, "partitions move")

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		first.EndHandovers()
	}()
	select {
	case <-ended:
		t.Fatal("the handover was not waited for")
	case <-time.After(50 * time.Millisecond):
	}
	release()
	<-ended
	require.EqualValues(t, 1, slow.ended.Load())
	require.Eventually(t, func() bool { return first.owned() == 2 && second.owned() == 2 }, patience, time.Millisecond)

	member(t, c, quick)
	member(t, c, quick)
	require.Eventually(t, func() bool { return first.owned() == 1 }, patience, time.Millisecond, "each member has one")
	require.EqualValues(t, 1, slow.begun.Load(), "nothing is sealed after the end")
}
