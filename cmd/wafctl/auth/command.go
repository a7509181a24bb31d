// Package auth is the command "wafctl auth": the endpoint that an ingress asks about each request, and that answers whether it may pass.
// Each kind of ingress describes requests in its own way; descriptions become requests of package inline, which decides. An answer claims
// no more than was described, and a description that could be read in two ways lets nothing pass.
package auth

import (
	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// New returns the command.
func New(c *cli.Console, args []string) *cobra.Command {
	var f cli.Flags
	cmd := &cobra.Command{
		Use:   "auth --trusted-proxies NETWORK,... [flags]",
		Short: "Answer an ingress that asks whether requests may pass",
		Long: `Inspect the requests that an ingress asks about, with the rules, exclusions and alerts of the plugin. The answer allows a
request, or has the status and page for the client.

Each caller has a path: /traefik for forwardAuth, /caddy for forward_auth, /nginx for auth_request and ingress-nginx,
/haproxy for a Lua script, /envoy for ext_authz over HTTP, and /crowdsec for bouncers of CrowdSec AppSec. Envoy's gRPC
service envoy.service.auth.v3.Authorization is on the same port.

Only --trusted-proxies may ask. X-Waf-Inspected in each answer lists the inspected parts of the request.`,
		Example: `  wafctl auth --trusted-proxies private
  wafctl auth --trusted-proxies 10.42.0.0/16 --engine detect --alert-to 'stdout,syslog+tls://siem.example?ca=/etc/ca.pem'`,
		Annotations: map[string]string{cli.Appendix: "Destinations of alerts\n" + delivery.Help()},
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := setting.NewReader(&f, Properties())
			r.Noun = "flag"
			a, err := open(&f, r, c)
			if err := f.Usage(cmd, args, err); err != nil {
				return err
			}
			return a.Run(cmd.Context())
		},
	}
	cli.Strict(cmd)
	own, engine := properties()
	f.Add(cmd.Flags(), own)
	c.QuietFlag(cmd, "log warnings and errors only")
	f.Add(cmd.Flags(), engine)
	return cmd
}
