package auth

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// properties returns the settings of the command, and those of its engine.
func properties() (own, engine []setting.Property) {
	engine = inline.Properties()
	for i := range engine {
		switch p := &engine[i]; p.Name {
		case "trusted_proxies":
			p.Default, p.Help = "", "who may ask, and is believed: networks and addresses, or private, comma separated"
		case "real_ip_header":
			p.Help = "header in which /traefik, /caddy, /nginx and /envoy find the client's address"
		case "inspect_timeout":
			p.Help = "time for inspecting a request, 1ms to 1m; less than the caller waits"
		}
	}
	return server.Properties(), engine
}

// Properties are the settings of the command in the order in which help lists them.
func Properties() []setting.Property {
	own, engine := properties()
	return slices.Concat(own, engine)
}

// open opens everything that the settings name, or returns all problems.
func open(get setting.Getter, r *setting.Reader, c *cli.Console) (*endpoint, error) {
	s, of := inline.ReadSettings(r), server.ReadSettings(r)
	if len(s.Proxies) == 0 && r.Err() == nil {
		r.Problem("trusted_proxies", errors.New("missing: nobody would be believed (want the addresses of the ingress, or private)"))
	}
	engine, err := inline.Open(s, get, r, c)
	if err != nil {
		return nil, err
	}
	a := &endpoint{Server: server.New("auth", of, engine, c, rejections...), engine: engine}
	a.counts.start()
	a.grpc = a.serveGRPC(grpc.MaxRecvMsgSize(s.RequestLimit + headsOfGRPC))
	if err := a.Listen(a, r); err != nil {
		engine.Discard()
		return nil, err
	}
	engine.Filter().Measure(&a.counts)
	return a, nil
}

// Run serves until ctx ends or a signal asks for the end.
func (a *endpoint) Run(ctx context.Context) error {
	return a.Server.Run(ctx, "; engine "+string(a.engine.Mode))
}
