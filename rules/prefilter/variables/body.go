package variables

import (
	"strings"
	"sync"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// processed is an empty transaction of Coraza's whose variables a body processor has filled.
type processed struct{ tx types.Transaction }

// Bodies hands out transactions of a WAF without rules, for body processors to write into.
type Bodies struct {
	waf  coraza.WAF
	once sync.Once
	err  error
}

func (b *Bodies) get() (*processed, error) {
	b.once.Do(func() { b.waf, b.err = coraza.NewWAF(coraza.NewWAFConfig()) })
	if b.err != nil {
		return nil, b.err
	}
	return &processed{b.waf.NewTransaction()}, nil
}

// ReadBody fills in what the body gives, with the processor that the rules have chosen. It reports false when the engine
// has to evaluate.
func (v *Values) ReadBody(in *model.Transaction, l *Limits, forced bool, b *Bodies) bool {
	if in.RequestBody == "" || !l.ReadRequest {
		return true
	}
	body := in.RequestBody
	if len(body) >= l.RequestBody {
		if !l.cutRequest {
			return false
		}
		body = body[:l.RequestBody]
		v.Single[corazavariables.InboundDataError] = "1"
	}
	name := v.Single[corazavariables.ReqbodyProcessor]
	if name == "" {
		if !forced {
			return true
		}
		name = "URLENCODED"
		v.Single[corazavariables.ReqbodyProcessor] = name
	}
	switch {
	case strings.EqualFold(name, "URLENCODED"):
		v.Single[corazavariables.RequestBody] = body
		v.Single[corazavariables.RequestBodyLength] = v.Arena.Number(len(body))
		v.arguments(ArgsPost, body, l)
		return true
	case strings.EqualFold(name, "JSON"):
		return v.json(body, l)
	default:
		return v.process(body, l, name, b)
	}
}

// process reads a body with Coraza's own processor. A body that it cannot read is for the engine to evaluate.
func (v *Values) process(body string, l *Limits, name string, b *Bodies) bool {
	processor, err := corazalink.GetBodyProcessor(name)
	if err != nil {
		return false
	}
	p, err := b.get()
	if err != nil {
		return false
	}
	v.processor = p
	state, can := p.tx.(plugintypes.TransactionState)
	if !can {
		return false
	}
	if v.Single[corazavariables.InboundDataError] == "1" { // a body that ends early is no error then
		flag, can := state.Variables().InboundDataError().(interface{ Set(value string) })
		if !can {
			return false
		}
		flag.Set("1")
	}
	err = processor.ProcessRequest(strings.NewReader(body), state.Variables(), plugintypes.BodyProcessorOptions{
		Mime: v.value(RequestHeaders, "content-type"), RequestBodyRecursionLimit: l.jsonDepth, ArgumentLimit: l.Arguments,
	})
	if err != nil {
		return false
	}
	v.read(state.Variables())
	return true
}

// read takes over what a body processor can have set.
func (v *Values) read(from plugintypes.TransactionVariables) {
	s := &v.Single
	s[corazavariables.RequestBody], s[corazavariables.RequestBodyLength] = from.RequestBody().Get(), from.RequestBodyLength().Get()
	s[corazavariables.FilesCombinedSize] = from.FilesCombinedSize().Get()
	if reached := from.ArgumentsLimitReached().Get(); reached == "1" {
		s[corazavariables.ArgumentsLimitReached] = reached
	}
	s[corazavariables.MultipartStrictError] = from.MultipartStrictError().Get()
	s[corazavariables.MultipartDuplicatePartHeader] = from.MultipartDuplicatePartHeader().Get()
	s[corazavariables.MultipartInvalidQuoting] = from.MultipartInvalidQuoting().Get()
	v.take(ArgsPost, from.ArgsPost().FindAll())
	v.take(files, from.Files().FindAll())
	v.take(filesNames, from.FilesNames().FindAll())
	v.take(filesSizes, from.FilesSizes().FindAll())
	v.take(PartHeaders, from.MultipartPartHeaders().FindAll())
	v.take(multipartFilename, from.MultipartFilename().FindAll())
	v.take(multipartName, from.MultipartName().FindAll())
	v.take(xml, from.RequestXML().FindAll())
}

func (v *Values) take(c Collection, values []types.MatchData) {
	for _, value := range values {
		v.add(c, value.Key(), value.Value())
	}
}

// Release gives the processor's transaction back.
func (v *Values) Release() {
	if v.processor != nil {
		v.processor.tx.Close() // nothing was written to disk that could fail to go away
		v.processor = nil
	}
}
