package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheConfigurationIsFoundOnTheCommandLine(t *testing.T) {
	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"fluent-bit", "-e", "out_waf.so", "-c", "a.yaml"}, "a.yaml"},
		{[]string{"fluent-bit", "--config", "a.yaml", "-q"}, "a.yaml"},
		{[]string{"fluent-bit", "--config=a.yaml"}, "a.yaml"},
		{[]string{"fluent-bit", "-c"}, ""},
		{[]string{"fluent-bit", "-i", "cpu"}, ""},
	} {
		require.Equal(t, c.want, configPath(c.arguments))
	}
}
