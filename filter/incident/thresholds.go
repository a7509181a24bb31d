package incident

import "time"

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
