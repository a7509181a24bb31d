package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

// cluster is a Kafka in this process with the topics records and alerts.
type cluster struct {
	t *testing.T
	*kfake.Cluster
	brokers string
}

func newCluster(t *testing.T, partitions int32, opts ...kfake.Opt) *cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(2), kfake.SeedTopics(partitions, "records", "alerts"), kfake.GroupMinSessionTimeout(time.Second),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &cluster{t, c, strings.Join(c.ListenAddrs(), ",")}
}

func (c *cluster) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, opts...)...)
	require.NoError(c.t, err)
	c.t.Cleanup(client.Close)
	return client
}

// send writes records whose keys decide on their partitions.
func (c *cluster) send(topic string, records ...*kgo.Record) {
	c.t.Helper()
	require.NoError(c.t, c.client(kgo.DefaultProduceTopic(topic)).ProduceSync(c.t.Context(), records...).FirstErr())
}

// message is a record of a source, with an attack or without.
func message(source string, number int, isAttack bool) *kgo.Record {
	uri := fmt.Sprintf("/orders/%d", number)
	if isAttack {
		uri += "?file=../../etc/passwd"
	}
	value := fmt.Sprintf(`{"SRC_IP":%q,"METHOD":"GET","URL":%q,"DOMAIN":"shop.example","AGENT":"Mozilla/5.0","L7_PROTOCOL":"http"}`, source, uri)
	return &kgo.Record{Key: []byte(source), Value: []byte(value)}
}

// delivered is an alert in a topic.
type delivered struct {
	id, key, uri string
	partition    int32
}

// alerts returns the alerts of a topic as soon as there are so many with ids of their own, in the order of each partition.
func (c *cluster) alerts(want int) (all []delivered) {
	c.t.Helper()
	client := c.client(kgo.ConsumeTopics("alerts"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	distinct := map[string]bool{}
	for len(distinct) < want {
		fetches := client.PollFetches(ctx)
		require.NoError(c.t, ctx.Err(), "%d of %d alerts: %v", len(distinct), want, all)
		fetches.EachRecord(func(r *kgo.Record) {
			a := delivered{key: string(r.Key), partition: r.Partition}
			require.Equal(c.t, "alert_id", r.Headers[0].Key)
			a.id = string(r.Headers[0].Value)
			var text struct {
				URI string `json:"uri"`
			}
			require.NoError(c.t, json.Unmarshal(r.Value, &text))
			a.uri = text.URI
			distinct[a.id] = true
			all = append(all, a)
		})
	}
	return all
}

func (c *cluster) run(args ...string) *running {
	c.t.Helper()
	return start(c.t, nil, append([]string{"--listen", "kafka://" + c.brokers + "/records?group=waf", "--alert-to", "kafka://" + c.brokers + "/alerts"}, args...)...)
}

func TestRecordsComeFromKafkaAndAlertsGoThere(t *testing.T) {
	c := newCluster(t, 3)
	at := time.Now()
	c.send("records", message("192.0.2.1", 1, true), message("192.0.2.1", 2, false), message("192.0.2.2", 3, true), &kgo.Record{Value: []byte("not JSON")},
		&kgo.Record{Value: []byte(attack + attack), Timestamp: at}, &kgo.Record{Value: []byte(attack), Timestamp: at})
	r := c.run()
	all := c.alerts(4)
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
	require.Contains(t, r.err.String(), "listening on kafka://"+c.brokers+"/records; alerts go to kafka://"+c.brokers+"/alerts\n")
	require.Contains(t, r.err.String(), "received 7 records, 1 not JSON: 5 alerts, 1 clean, 1 not HTTP, 0 broken\n")
	keys := map[string]int{}
	for _, a := range all {
		keys[a.key]++
	}
	require.Equal(t, map[string]int{"192.0.2.1": 1, "192.0.2.2": 1, "10.1.2.3": 3}, keys)
}
