package auth

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

func TestAnAddressInUsePreventsStartup(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	all := setting.Map{"listen": taken.Addr().String(), "trusted_proxies": "private"}
	_, err = open(all, setting.NewReader(all, Properties()), &cli.Console{Host: clitest.Host, Out: io.Discard, Err: io.Discard})
	require.ErrorContains(t, err, "listen")
	require.ErrorContains(t, err, "in use")
}
