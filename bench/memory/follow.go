package main

import (
	"fmt"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
)

// follow sends many mixed records through the filter and prints its memory along the way.
func (p *plan) follow() error {
	const looks = 20
	r, err := p.start(pipeline{name: "waf", filters: 1})
	if err != nil {
		return err
	}
	defer r.Stop()
	fmt.Println("records, of which one of 20 is new and one of 1000 an attack")
	begin := time.Now()
	for look := 0; ; look++ {
		m, err := r.Memory()
		if err != nil {
			return err
		}
		fmt.Printf("%9d  %s, after %s\n", r.sent, written(m), time.Since(begin).Round(time.Second))
		if look == looks {
			return nil
		}
		for end := p.long / looks * (look + 1); r.sent < end; {
			if err := r.send(fluentbit.Mixed, r.sent, min(100_000, end-r.sent)); err != nil {
				return err
			}
		}
	}
}
