package proxy

import (
	"context"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/requestlog"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// open opens everything that the settings name, or returns all problems.
func open(get setting.Getter, r *setting.Reader, c *cli.Console) (*proxy, error) {
	s := readSettings(r)
	engine, err := inline.Open(s.Settings, get, r, c)
	if err != nil {
		return nil, err
	}
	v := server.New("proxy", s.server, engine, c, badTarget, badHeader)
	if s.accessLog != "" {
		if v.Requests, err = requestlog.Open(s.accessLog, s.accessLogFormat, c, engine.Filter().WithoutSecrets); err != nil {
			r.Problem("access_log", err)
		} else {
			engine.Filter().Measure(v.Requests)
		}
	}
	v.Watch(s.backendPair)
	p := newProxy(s, engine, v)
	if err := v.Listen(p, r); err != nil {
		v.Requests.Discard()
		engine.Discard()
		return nil, err
	}
	engine.Filter().Measure(&p.counts)
	return p, nil
}

// Run serves until ctx ends or a signal asks for the end.
func (p *proxy) Run(ctx context.Context) error {
	return p.Server.Run(ctx, "; requests go to "+p.backend.String()+"; engine "+string(p.Mode))
}
