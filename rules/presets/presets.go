// Package presets holds settings of the Core Rule Set for kinds of sites. A preset is SecLang text that goes in front of CRS, and values of
// properties that are not given. The property preset selects one.
package presets

import (
	_ "embed"
	"strings"
)

// API is SecLang text for sites that are interfaces for programs, for the place before CRS begins.
//
//go:embed api.conf
var API string

// QuietedByAPI are the rules of CRS that the preset api keeps from taking such traffic for an attack or violation.
var QuietedByAPI = []int{911100, 920270, 920420, 921150, 932235, 942190, 942290, 942550}

// Settings are the properties of each preset, for those that a configuration does not have.
var Settings = map[string]map[string]string{
	"api": {
		"allowed_methods":              "GET HEAD POST OPTIONS PUT PATCH DELETE",
		"allowed_request_content_type": strings.Join(apiMediaTypes, " "),
	},
}

// apiMediaTypes are those of CRS and of interfaces for programs.
var apiMediaTypes = []string{
	"application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "application/xml", "application/soap+xml", "application/json",
	"application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml",
	"application/vnd.api+json", "application/hal+json", "application/ld+json", "application/problem+json", "application/geo+json",
	"application/scim+json", "application/fhir+json", "application/activity+json", "application/jose+json", "application/jose",
	"application/jwt", "application/secevent+jwt",
	"application/vnd.github+json", "application/vnd.docker.distribution.events.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.manifest.v1+json",
	"application/vnd.oci.image.index.v1+json", "application/cloudevents+json", "application/cloudevents-batch+json",
	"application/csp-report", "application/reports+json", "application/graphql", "application/graphql+json", "application/graphql-response+json",
	"application/json-rpc", "application/json-seq", "application/jsonl", "application/jsonlines", "application/x-ndjson", "application/ndjson",
	"application/yaml", "application/x-yaml", "text/yaml", "text/csv", "text/plain", "application/octet-stream", "application/sparql-query",
	"application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc-web", "application/grpc-web+proto",
	"application/grpc-web-text", "application/connect+proto", "application/connect+json", "application/proto", "application/protobuf",
	"application/x-protobuf", "application/vnd.google.protobuf", "application/vnd.kubernetes.protobuf", "application/cbor", "application/msgpack",
	"application/x-msgpack", "application/vnd.msgpack", "application/avro", "application/vnd.apache.arrow.stream", "application/x-thrift",
	"application/dns-message",
}
