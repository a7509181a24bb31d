// Command demo is "make run". It starts the pipeline of conf/nano-syslog.yaml, or wafctl run where there is no Fluent
// Bit, and plays the Nano probe and the syslog server. Then it shows the alert that comes back for the sample in
// testdata.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	probePort = "15155" // where the shipped pipeline listens
	waitAlert = 20 * time.Second
	waitEnd   = 10 * time.Second
	work      = "build/work/run"
)

func main() {
	once := flag.Bool("once", false, "end after the alert, with an error when none comes in 20 s")
	flag.Parse()
	if err := run(*once); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(once bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if inUse() {
		return fmt.Errorf("UDP 127.0.0.1:%s is in use by another program", probePort)
	}
	syslog, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer syslog.Close()
	c, err := startCollector(syslog.LocalAddr().(*net.UDPAddr).Port)
	if err != nil {
		return err
	}
	defer c.stop()
	if err := replay(ctx, c); err != nil {
		return err
	}
	alerts := make(chan string)
	go receive(syslog, alerts)
	return show(ctx, c, alerts, once)
}

// show prints alerts until the first when once is set, and otherwise until ctx or the collector ends.
func show(ctx context.Context, c *collector, alerts <-chan string, once bool) error {
	late := time.After(waitAlert)
	for {
		select {
		case alert := <-alerts:
			late = nil
			fmt.Printf("\nThe syslog server on 127.0.0.1 received this alert:\n\n  %s\n", alert)
			if once {
				return nil
			}
			fmt.Printf("\nSend records as JSON to UDP 127.0.0.1:%s; Ctrl-C ends. The log is %s.\n", probePort, c.log)
		case <-late:
			return fmt.Errorf("no alert in %s; see %s", waitAlert, c.log)
		case <-c.ended:
			return c.failure()
		case <-ctx.Done():
			return nil
		}
	}
}

// collector is a running Fluent Bit or wafctl.
type collector struct {
	command *exec.Cmd
	log     string
	ended   chan struct{} // closed when it has
}

func (c *collector) failure() error {
	return fmt.Errorf("the collector ended, %s; see %s", c.command.ProcessState, c.log)
}

// startCollector starts Fluent Bit when there is one, and wafctl otherwise.
func startCollector(syslogPort int) (*collector, error) {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	c := &collector{log: filepath.Join(work, "log"), ended: make(chan struct{})}
	path, err := fluentBit()
	if err != nil {
		return nil, err
	}
	if path != "" {
		if err := writePipeline(syslogPort); err != nil {
			return nil, err
		}
		fmt.Printf("Starting %s with conf/nano-syslog.yaml\n", path)
		c.command = exec.Command(path, "-e", filepath.Join(root, "build/out/out_waf.so"), "-c", "pipeline.yaml")
	} else {
		fmt.Println("No fluent-bit in $FLUENT_BIT or on PATH: starting wafctl run")
		c.command = exec.Command(filepath.Join(root, "build/out/wafctl"), "run", "--listen", "udp://127.0.0.1:"+probePort,
			"--alert-to", fmt.Sprintf("syslog+udp://127.0.0.1:%d", syslogPort))
	}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.command.Dir = work
	c.command.Stdout, c.command.Stderr = log, log
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program, which then ends the collector
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.command.Wait() //nolint:errcheck // ProcessState tells as much
		close(c.ended)
	}()
	return c, nil
}

// fluentBit returns the path of a Fluent Bit, "" when there is none.
func fluentBit() (string, error) {
	if path := os.Getenv("FLUENT_BIT"); path != "" {
		return filepath.Abs(path)
	}
	path, err := exec.LookPath("fluent-bit")
	if err != nil {
		return "", nil //nolint:nilerr // then wafctl does it
	}
	return filepath.Abs(path)
}

// writePipeline copies the shipped pipeline with our syslog port in place of a real server's.
func writePipeline(syslogPort int) error {
	text, err := os.ReadFile("conf/nano-syslog.yaml")
	if err != nil {
		return err
	}
	own := strings.Replace(string(text), "port: 514\n", fmt.Sprintf("port: %d\n", syslogPort), 1)
	return os.WriteFile(filepath.Join(work, "pipeline.yaml"), []byte(own), 0o644)
}

// replay sends the sample once, as soon as somebody listens.
func replay(ctx context.Context, c *collector) error {
	sample, err := os.ReadFile("testdata/nano-sample.json")
	if err != nil {
		return err
	}
	for end := time.Now().Add(waitAlert); !inUse(); {
		select {
		case <-c.ended:
			return c.failure()
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("nothing listens on UDP 127.0.0.1:%s after %s; see %s", probePort, waitAlert, c.log)
		}
	}
	conn, err := net.Dial("udp", "127.0.0.1:"+probePort)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(bytes.TrimSpace(sample))
	return err
}

func inUse() bool {
	c, err := net.ListenPacket("udp", "127.0.0.1:"+probePort)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.EADDRINUSE)
}

func receive(c net.PacketConn, alerts chan<- string) {
	buffer := make([]byte, 64<<10)
	for {
		n, _, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		alerts <- string(buffer[:n])
	}
}

// stop ends the collector as a service manager does.
func (c *collector) stop() {
	if c.command.Process.Signal(syscall.SIGTERM) != nil {
		return // it has ended
	}
	select {
	case <-c.ended:
	case <-time.After(waitEnd):
		c.command.Process.Kill() //nolint:errcheck // there is nothing else to try
	}
}
