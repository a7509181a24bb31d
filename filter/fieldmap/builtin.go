package fieldmap

import (
	"embed"
	"sync"
)

//go:embed maps/*.yaml
var mapFiles embed.FS

// order is the order in which auto tries the built-in maps: sources with names of their own come before those with names that
// many use.
var order = []string{
	"nano", "gelf", "suricata", "zeek", "caddy", "traefik", "haproxy", "envoy", "aws-waf", "aws-alb", "cloudfront", "gcp", "azure-front-door",
	"azure", "cloudflare", "apisix", "kong", "iis", "ecs", "opentelemetry",
	"access-log", "ingress-nginx", "nginx", "fluent-bit-nginx", "k8s-nginx-ingress", "apache",
}

var builtIn = sync.OnceValue(func() []*Map {
	all := make([]*Map, len(order))
	for i, name := range order {
		text, err := mapFiles.ReadFile("maps/" + name + ".yaml")
		if err == nil {
			all[i], err = ParseYAML(name+".yaml", text)
		}
		if err != nil {
			panic("built-in field map: " + err.Error()) // what is embedded is tested
		}
		all[i].Path = ""
	}
	return all
})

// BuiltIn returns the names of the built-in maps in the order in which auto tries them.
func BuiltIn() []string { return append([]string(nil), order...) }

// BuiltInText returns the YAML text of a built-in map, "" for other names.
func BuiltInText(name string) string {
	text, err := mapFiles.ReadFile("maps/" + name + ".yaml")
	if err != nil {
		return ""
	}
	return string(text)
}

// nano is the map of Nano's records, which key files build on.
func nano() *Map { return builtIn()[0] }
