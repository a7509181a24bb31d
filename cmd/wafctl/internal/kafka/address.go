// Package kafka reads records from Kafka as a member of a consumer group, and writes alerts to it.
//
// Every record is evaluated, and every alert delivered, at least once. A record counts as finished, and its offset is committed, when its
// alerts are at all destinations; what was not committed when a member ended is evaluated again by another. An alert that is delivered
// again has the same id, which is made of the record, its place in Kafka and the rules.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

const (
	scheme    = "kafka://"
	schemeTLS = "kafka+tls://"

	// Form is how a topic is written.
	Form = "kafka://BROKER[:9092],…/TOPIC"

	defaultPort = "9092"
	certKey     = "cert-key"
	clientID    = "fluent-bit-waf"
)

// Is reports whether a place or destination is a topic.
func Is(text string) bool {
	lower := strings.ToLower(text)
	return strings.HasPrefix(lower, scheme) || strings.HasPrefix(lower, schemeTLS)
}

// Join puts the parts of a list that was split at commas together where the commas are those between brokers.
func Join(parts []string) (joined []string) {
	for _, part := range parts {
		if last := len(joined) - 1; last >= 0 && Is(joined[last]) && !strings.Contains(rest(joined[last]), "/") {
			joined[last] += "," + part
			continue
		}
		joined = append(joined, part)
	}
	return joined
}

// rest returns what stands behind the scheme.
func rest(text string) string {
	_, behind, _ := strings.Cut(text, "://")
	return behind
}

// Name returns an address without its options.
func Name(text string) string {
	name, _, _ := strings.Cut(text, "?")
	return name
}

// IsSame reports whether two topics have the same name at the same brokers, as far as their addresses show.
func IsSame(one, other string) bool {
	a, b := parse(one, ConsumerOptions()), parse(other, ProducerOptions())
	return a.topic == b.topic && slices.ContainsFunc(a.brokers, func(broker string) bool { return slices.Contains(b.brokers, broker) })
}

// securityOptions are the options of both directions.
var securityOptions = append([]setting.Property{
	{Name: "sasl", Default: "off", Values: []string{"off", "plain", "scram-sha-256", "scram-sha-512"}, Help: "how to authenticate"},
	{Name: "user", Help: "name for sasl"},
	{Name: "password-file", Help: "file with the password for sasl"},
}, delivery.TLSOptions(certKey)...)

// address is a topic with what is needed to connect to it.
type address struct {
	*setting.Reader
	brokers []string
	topic   string
	faults  []error     // of what stands before the options
	tls     *tls.Config // nil for plain TCP
}

// topicName is what Kafka allows.
var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// err returns what is wrong with the address and with its options, each problem with what the address is called.
func (a *address) err(name string) error {
	var problems []error
	for _, problem := range slices.Concat(a.faults, a.Problems()) {
		problems = append(problems, fmt.Errorf("%s: %w", name, problem))
	}
	return errors.Join(problems...)
}

// parse reads a topic with options of a table. What is wrong is returned by err.
func parse(text string, table []setting.Property) *address {
	place, query, _ := strings.Cut(text, "?")
	a := &address{Reader: delivery.ReadOptions(query, table)}
	brokers, topic, _ := strings.Cut(rest(place), "/")
	a.topic = topic
	if !topicName.MatchString(topic) {
		a.faults = append(a.faults, fmt.Errorf("malformed topic %q (want %s)", topic, Form))
	}
	for broker := range strings.SplitSeq(brokers, ",") {
		a.addBroker(strings.TrimSpace(broker))
	}
	secure := delivery.TLSConfig(a.Reader, certKey)
	if strings.HasPrefix(strings.ToLower(text), schemeTLS) {
		a.tls = secure
	} else {
		for _, p := range delivery.TLSOptions(certKey) {
			if a.Given(p.Name) {
				a.Problem(p.Name, errors.New("needs kafka+tls://"))
			}
		}
	}
	return a
}

func (a *address) addBroker(broker string) {
	if strings.ContainsAny(broker, "@/# ") || broker == "" {
		a.faults = append(a.faults, fmt.Errorf("malformed broker %q (want %s)", broker, Form))
		return
	}
	if _, _, err := net.SplitHostPort(broker); err != nil {
		broker = net.JoinHostPort(strings.Trim(broker, "[]"), defaultPort)
	}
	a.brokers = append(a.brokers, broker)
}

// options returns how to connect.
func (a *address) options(warn func(line string)) []kgo.Opt {
	all := []kgo.Opt{kgo.SeedBrokers(a.brokers...), kgo.ClientID(clientID), kgo.WithLogger(&logger{warn})}
	if a.tls != nil {
		all = append(all, kgo.DialTLSConfig(a.tls))
	}
	mechanism, user, file := a.Word("sasl"), a.Text("user"), a.Text("password-file")
	if mechanism == "off" {
		if user != "" || file != "" {
			a.Problem("sasl", errors.New("off, but user or password-file is set (want plain, scram-sha-256 or scram-sha-512)"))
		}
		return all
	}
	if user == "" || file == "" {
		a.Problem("sasl", errors.New("needs user and password-file"))
		return all
	}
	password := func() (string, error) {
		text, err := os.ReadFile(file) // each time: it may have been changed since
		return strings.TrimRight(string(text), "\r\n"), err
	}
	if _, err := password(); err != nil {
		a.Problem("password-file", err)
	}
	switch mechanism {
	case "plain":
		return append(all, kgo.SASL(plain.Plain(func(context.Context) (plain.Auth, error) {
			pass, err := password()
			return plain.Auth{User: user, Pass: pass}, err
		})))
	case "scram-sha-256":
		return append(all, kgo.SASL(scram.Sha256(func(context.Context) (scram.Auth, error) {
			pass, err := password()
			return scram.Auth{User: user, Pass: pass}, err
		})))
	default:
		return append(all, kgo.SASL(scram.Sha512(func(context.Context) (scram.Auth, error) {
			pass, err := password()
			return scram.Auth{User: user, Pass: pass}, err
		})))
	}
}

// logger passes on what the client warns of.
type logger struct{ warn func(line string) }

func (l *logger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (l *logger) Log(_ kgo.LogLevel, text string, pairs ...any) {
	for i := 0; i+1 < len(pairs); i += 2 {
		text += fmt.Sprintf(" %v=%v", pairs[i], pairs[i+1])
	}
	l.warn("kafka: " + text)
}
