package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// stock is Coraza as its documentation sets it up, with nothing of this project.
type stock struct{ waf coraza.WAF }

func newStock(prefilter bool) (*stock, error) {
	directives := []string{"Include " + ruleset.Recommended, "Include " + ruleset.Setup, ruleset.SiteSettings(), "Include " + ruleset.Rules + ".conf", ruleset.SiteExceptions()}
	if prefilter {
		directives = slices.Insert(directives, 1, "SecRxPreFilter On")
	}
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(strings.Join(directives, "\n")))
	return &stock{waf}, err
}

func (s *stock) run(records []corpus.Record) (result, error) {
	list := transactions(records)
	all := make([][]types.MatchedRule, len(list))
	runtime.GC()
	start := processorTime()
	for i := range list {
		matched, err := s.inspect(&list[i])
		if err != nil {
			return result{}, fmt.Errorf("coraza: %w", err)
		}
		all[i] = matched
	}
	r := result{took: processorTime() - start}
	for _, matched := range all {
		var ids []int
		for _, m := range matched {
			if m.Message() != "" {
				ids = append(ids, m.Rule().ID())
			}
		}
		r.add(ids)
	}
	return r, nil
}

func (s *stock) inspect(t *transaction) ([]types.MatchedRule, error) {
	tx := s.waf.NewTransaction()
	defer tx.Close()
	tx.ProcessConnection(t.SrcIP, t.SrcPort, t.DstIP, t.DstPort)
	tx.SetServerName(t.Host)
	tx.ProcessURI(t.Target, t.Method, "HTTP/1.1")
	for _, h := range t.requestHeaders {
		tx.AddRequestHeader(h.name, h.value)
	}
	tx.ProcessRequestHeaders()
	if _, _, err := tx.ReadRequestBodyFrom(strings.NewReader(t.RequestBody)); err != nil {
		return nil, err
	}
	if _, err := tx.ProcessRequestBody(); err != nil {
		return nil, err
	}
	for _, h := range t.responseHeaders {
		tx.AddResponseHeader(h.name, h.value)
	}
	tx.ProcessResponseHeaders(t.Status, "HTTP/1.1")
	if tx.IsResponseBodyProcessable() {
		if _, _, err := tx.ReadResponseBodyFrom(strings.NewReader(t.ResponseBody)); err != nil {
			return nil, err
		}
	}
	if _, err := tx.ProcessResponseBody(); err != nil {
		return nil, err
	}
	tx.ProcessLogging()
	return tx.MatchedRules(), nil
}
