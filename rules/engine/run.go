package engine

import (
	"fmt"
	"strings"

	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// inspect runs all phases of the engine's rules over a transaction.
func (e *Engine) inspect(t *model.Transaction) (*model.Verdict, error) {
	return e.InspectWithout(nil, t)
}

// InspectWithout is inspect without rules of which the prefilter knows that they do nothing.
func (e *Engine) InspectWithout(idle []int, t *model.Transaction) (*model.Verdict, error) {
	if e.profile != nil {
		return e.profile.inspect(e, idle, t)
	}
	return e.runWithout(idle, t)
}

func (e *Engine) runWithout(idle []int, t *model.Transaction) (v *model.Verdict, err error) {
	if err := e.run(t, idle, func(tx types.Transaction) { v = e.verdict(tx) }); err != nil {
		return nil, err
	}
	return v, nil
}

// remover is what Coraza's transaction does for ctl:ruleRemoveById.
type remover interface{ RemoveRuleByID(id int) }

// run runs all phases over a transaction, and calls read before Coraza's one is closed.
func (e *Engine) run(t *model.Transaction, idle []int, read func(types.Transaction)) (err error) {
	tx := e.waf.NewTransaction()
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("inspect: engine panic: %v", cause)
			return // the transaction is in an unknown state and must not return to Coraza's pool
		}
		if closeErr := tx.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("inspect: %w", closeErr)
		}
	}()
	if r, can := tx.(remover); can {
		for _, id := range idle {
			r.RemoveRuleByID(id)
		}
	}
	if err := runAll(tx, t); err != nil {
		return err
	}
	read(tx)
	return nil
}

// runAll runs all phases that the log says something of.
func runAll(tx types.Transaction, t *model.Transaction) error {
	if err := runRequest(tx, t); err != nil {
		return err
	}
	if t.HasResponse {
		if err := runResponse(tx, t); err != nil {
			return err
		}
	}
	tx.ProcessLogging()
	return nil
}

func runRequest(tx types.Transaction, t *model.Transaction) error {
	tx.ProcessConnection(t.ClientIP, t.ClientPort, t.ServerIP, t.ServerPort)
	tx.SetServerName(t.ServerName)
	if t.Unknown&model.PartRequest == 0 {
		tx.ProcessURI(t.URI, t.Method, t.Protocol)
	}
	for i := range t.Arguments {
		tx.AddGetRequestArgument(t.Arguments[i].Name, t.Arguments[i].Value)
	}
	for i := range t.RequestHeaders {
		tx.AddRequestHeader(t.RequestHeaders[i].Name, t.RequestHeaders[i].Value)
	}
	giveRaw(tx, seclang.RawRequestBody, t.RequestBody, t.RequestHeaders)
	tx.ProcessRequestHeaders()
	if t.RequestBody != "" && tx.IsRequestBodyAccessible() {
		if _, _, err := tx.ReadRequestBodyFrom(strings.NewReader(t.RequestBody)); err != nil {
			return fmt.Errorf("inspect: request body: %w", err)
		}
	}
	if _, err := tx.ProcessRequestBody(); err != nil {
		return fmt.Errorf("inspect: request body: %w", err)
	}
	return nil
}

func runResponse(tx types.Transaction, t *model.Transaction) error {
	for i := range t.ResponseHeaders {
		tx.AddResponseHeader(t.ResponseHeaders[i].Name, t.ResponseHeaders[i].Value)
	}
	giveRaw(tx, seclang.RawResponseBody, t.ResponseBody, t.ResponseHeaders)
	tx.ProcessResponseHeaders(t.ResponseStatus, t.ResponseProtocol)
	if t.ResponseBody != "" && tx.IsResponseBodyAccessible() && tx.IsResponseBodyProcessable() {
		if _, _, err := tx.ReadResponseBodyFrom(strings.NewReader(t.ResponseBody)); err != nil {
			return fmt.Errorf("inspect: response body: %w", err)
		}
	}
	if _, err := tx.ProcessResponseBody(); err != nil {
		return fmt.Errorf("inspect: response body: %w", err)
	}
	return nil
}
