// Package proxy is the command "wafctl proxy": a reverse proxy in front of one backend that inspects requests before they go on, and
// responses before they are sent. What reaches the backend is what was inspected. The environment variables of modsecurity-crs-docker
// are settings, so that it can take the place of that image.
package proxy

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// New returns the command.
func New(c *cli.Console, args []string) *cobra.Command {
	var f cli.Flags
	cmd := &cobra.Command{
		Use:   "proxy --backend URL [flags]",
		Short: "Block attacks in front of a web server",
		Long: `Forward HTTP requests to a backend and block attacks: a reverse proxy with the rules, exclusions and alerts of the plugin,
so that you can enforce rules that you tuned on logs.

A blocked request gets status 403 and a page with the id of its alert. With --engine detect attacks pass and alert.
SIGHUP reloads rules and certificates. On SIGTERM the proxy serves for --shutdown-delay and finishes requests under way.`,
		Example: `  wafctl proxy --backend http://127.0.0.1:3000
  wafctl proxy --backend http://shop:80 --engine detect --alert-to 'stdout,syslog+tls://siem.example?ca=/etc/ca.pem'
  wafctl proxy --backend h2c://api:50051 --listen off --tls-listen :443 --tls-cert tls.crt --tls-key tls.key`,
		Annotations: map[string]string{cli.Appendix: "Destinations of alerts\n" + delivery.Help()},
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := start(&f, c)
			if err := f.Usage(cmd, args, err); err != nil {
				return err
			}
			return s.Run(cmd.Context())
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), own)
	c.QuietFlag(cmd, "log warnings and errors only")
	f.Add(cmd.Flags(), inline.Properties())
	return cmd
}

// start opens the proxy that flags and, where they say so, the environment describe.
func start(f *cli.Flags, c *cli.Console) (*proxy, error) {
	if f.Values["environment"] == "on" {
		for _, note := range readEnvironment(f.Values, os.LookupEnv) {
			c.Note(note)
		}
		if f.Values["tls_cert"] == os.Getenv(certificateVariable) {
			os.Unsetenv(certificateVariable) //nolint:errcheck // it cannot fail; the certificate is no authority that verifies backends and destinations
		}
	}
	r := setting.NewReader(f, Properties())
	r.Noun = "flag"
	return open(f, r, c)
}
