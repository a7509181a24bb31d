package incident

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed rules.yaml
var defaultRules []byte

// Thresholds are the numbers of the detectors; rules.yaml explains each.
type Thresholds struct {
	Gap         time.Duration
	Update      time.Duration
	Learning    time.Duration
	Established time.Duration
	Salt        string
	DigestEvery time.Duration `yaml:"digest_every"`
	DigestWait  time.Duration `yaml:"digest_wait"`
	Campaign    struct {
		Window         time.Duration
		Records        int
		Rules          int
		Categories     int
		Alerts         int
		Untargeted     int
		SharedSources  int           `yaml:"shared_sources"`
		SharedAlerts   int           `yaml:"shared_alerts"`
		SharedWindow   time.Duration `yaml:"shared_window"`
		ProtocolWeight float64       `yaml:"protocol_weight"`
		HabitHours     int           `yaml:"habit_hours"`
		HabitSources   int           `yaml:"habit_sources"`
	}
	Probing struct {
		Bucket        int
		Leak          time.Duration
		SlowBucket    int           `yaml:"slow_bucket"`
		SlowLeak      time.Duration `yaml:"slow_leak"`
		Ratio         float64
		SlowRatio     float64 `yaml:"slow_ratio"`
		Widely        int
		Common        int
		SharedSources int `yaml:"shared_sources"`
		SharedBucket  int `yaml:"shared_bucket"`
	}
	BruteForce struct {
		Bucket          int
		Leak            time.Duration
		SlowBucket      int           `yaml:"slow_bucket"`
		SlowLeak        time.Duration `yaml:"slow_leak"`
		UnknownBucket   int           `yaml:"unknown_bucket"`
		UnknownLeak     time.Duration `yaml:"unknown_leak"`
		Success         int
		StuffingBucket  int           `yaml:"stuffing_bucket"`
		StuffingLeak    time.Duration `yaml:"stuffing_leak"`
		StuffingSources int           `yaml:"stuffing_sources"`
	} `yaml:"brute_force"`
	Spread struct {
		Targets int
		Window  time.Duration
		Proxy   int
	}
	Pivot struct {
		Window   time.Duration
		Hops     int
		Echo     time.Duration
		NewEdges int `yaml:"new_edges"`
	}
	Enumeration struct {
		Window       time.Duration
		IDs          int
		SlowWindow   time.Duration `yaml:"slow_window"`
		SlowIDs      int           `yaml:"slow_ids"`
		Factor       float64
		Newcomer     float64
		Shared       float64
		SharedFactor float64 `yaml:"shared_factor"`
		Windows      int
		Severe       int
		Private      float64
	}
	Disclosure struct {
		Window    time.Duration
		Items     int
		Megabytes int
		Factor    float64
	}
	Background struct {
		Paths []string
	}
}

// DefaultThresholds returns the thresholds that are built in.
func DefaultThresholds() *Thresholds {
	t := &Thresholds{}
	if err := t.read(defaultRules); err != nil {
		panic(err) // a test reads them
	}
	return t
}

// ReadThresholds returns the default thresholds with those replaced that a YAML text sets.
func ReadThresholds(text []byte) (*Thresholds, error) {
	t := DefaultThresholds()
	if err := t.read(text); err != nil {
		return nil, fmt.Errorf("incident rules: %w", err)
	}
	return t, nil
}

func (t *Thresholds) read(text []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(t); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return t.check()
}

// check demands that every number is positive: zero would open an incident with every record, or never.
func (t *Thresholds) check() error { return positive(reflect.ValueOf(t).Elem(), "") }

func positive(v reflect.Value, path string) error {
	for i := range v.NumField() {
		field, place := v.Field(i), path+strings.ToLower(v.Type().Field(i).Name)
		if tag, has := v.Type().Field(i).Tag.Lookup("yaml"); has {
			place = path + tag
		}
		switch field.Kind() {
		case reflect.Struct:
			if err := positive(field, place+"."); err != nil {
				return err
			}
		case reflect.Int, reflect.Int64:
			if field.Int() <= 0 {
				return fmt.Errorf("%s: %v is out of range (expected more than 0)", place, field.Interface())
			}
			if d, isTime := field.Interface().(time.Duration); isTime && (d < time.Second || d > 30*24*time.Hour) {
				return fmt.Errorf("%s: %v is out of range (1s to 720h)", place, d)
			}
		case reflect.Float64:
			if field.Float() <= 0 {
				return fmt.Errorf("%s: %v is out of range (expected more than 0)", place, field.Float())
			}
		}
	}
	return nil
}
