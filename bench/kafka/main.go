// Command kafka measures how many records a second one and more members of a consumer group evaluate on a machine that they share with
// the broker, and what reading from the broker and writing to it costs next to the standard input and a file. The broker is kfake, in
// this process. Run it with "make bench-kafka".
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
)

// plan is what is measured with.
type plan struct {
	wafctl             string
	records            int
	partitions, longer int
	dir                string
	input              string // file with the records
}

// usage is what a run takes, by the clock and of all cores, the members and the broker apart.
type usage struct{ clock, members, broker time.Duration }

func main() {
	var p plan
	flag.StringVar(&p.wafctl, "wafctl", "build/out/wafctl", "the `program`")
	flag.IntVar(&p.records, "records", 200_000, "records of a run")
	flag.IntVar(&p.partitions, "partitions", 8, "partitions of the topic")
	flag.IntVar(&p.longer, "members", 2, "the most members")
	flag.Parse()
	if flag.NArg() > 0 || p.records < 1000 || p.partitions < 1 || p.longer < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

func (p *plan) run() (err error) {
	if p.dir, err = os.MkdirTemp("", "kafka"); err != nil {
		return err
	}
	defer os.RemoveAll(p.dir) //nolint:errcheck // it is in the folder for temporary files
	p.input = filepath.Join(p.dir, "records.ndjson")
	if err := fluentbit.WriteRecords(p.input, fluentbit.Mixed, 0, p.records); err != nil {
		return err
	}
	fmt.Printf("%s, %d cores, broker included; %d records, %d partitions\n\n", runtime.GOARCH, runtime.NumCPU(), p.records, p.partitions)
	fmt.Println("| from | to | members | records per second | µs of a core a record: members | broker |")
	fmt.Println("|---|---|---|---|---|---|")
	if err := p.lines(); err != nil {
		return err
	}
	for members := 1; members <= p.longer; members++ {
		if err := p.group(members); err != nil {
			return err
		}
	}
	return nil
}

// lines measures a run from the standard input to a file.
func (p *plan) lines() error {
	read := func(input string) (usage, error) {
		m, err := start(p.wafctl, input, "--listen", "-", "--alert-to", "file://"+filepath.Join(p.dir, "alerts"))
		if err != nil {
			return usage{}, err
		}
		begin := time.Now()
		used, err := m.wait()
		return usage{clock: time.Since(begin), members: used}, err
	}
	idle, err := read(os.DevNull)
	if err != nil {
		return err
	}
	used, err := read(p.input)
	if err != nil {
		return err
	}
	p.print("standard input", "file", 1, used, idle)
	return nil
}

// group measures members of a consumer group, with a broker of their own.
func (p *plan) group(members int) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(int32(p.partitions), "idle", "records", "alerts"))
	if err != nil {
		return err
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("records"))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := p.fill(client); err != nil {
		return err
	}
	idle, err := p.consume(cluster, client, "idle", members, 0)
	if err != nil {
		return err
	}
	used, err := p.consume(cluster, client, "records", members, p.records)
	if err != nil {
		return err
	}
	p.print("Kafka", "Kafka", members, used, idle)
	return nil
}

// fill writes the records under the address of their clients.
func (p *plan) fill(client *kgo.Client) error {
	var failed error
	for i := range p.records {
		r := fluentbit.Mixed(uint64(i))
		client.Produce(context.Background(), &kgo.Record{Key: []byte(r.SrcIP), Value: fluentbit.JSON(r)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	if err := client.Flush(context.Background()); err != nil {
		return err
	}
	return failed
}

// patience is how long a run may take.
const patience = 30 * time.Minute

// consume has members read a topic until all of it is committed.
func (p *plan) consume(cluster *kfake.Cluster, client *kgo.Client, topic string, members, records int) (used usage, err error) {
	brokers := "kafka://" + strings.Join(cluster.ListenAddrs(), ",")
	before, begin := ownTime(), time.Now()
	var all []*member
	for range members {
		m, err := start(p.wafctl, os.DevNull, "--listen", brokers+"/"+topic+"?group="+topic, "--alert-to", brokers+"/alerts")
		if err != nil {
			return used, err
		}
		all = append(all, m)
	}
	admin := kadm.NewClient(client)
	for committed, joined := int64(0), 0; joined < members || committed < int64(records); time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > patience {
			return used, fmt.Errorf("%d of %d records after %s", committed, records, patience)
		}
		groups, err := admin.DescribeGroups(context.Background(), topic)
		if err != nil {
			continue // the group is not there yet
		}
		joined = max(joined, len(groups[topic].Members))
		offsets, err := admin.FetchOffsetsForTopics(context.Background(), topic, topic)
		if err != nil {
			continue
		}
		committed = 0
		offsets.Each(func(o kadm.OffsetResponse) { committed += max(0, o.At) })
	}
	used.clock, used.broker = time.Since(begin), ownTime()-before
	for _, m := range all {
		if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return used, err
		}
		taken, err := m.wait()
		if err != nil {
			return used, err
		}
		used.members += taken
	}
	return used, nil
}

func (p *plan) print(from, to string, members int, used, idle usage) {
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(p.records) }
	fmt.Printf("| %s | %s | %d | %.0f | %.1f | %.1f |\n", from, to, members, float64(p.records)/(used.clock-idle.clock).Seconds(),
		each(used.members-idle.members), each(used.broker-idle.broker))
}
