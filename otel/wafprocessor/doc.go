//go:generate go -C ../../build/tools tool mdatagen ../../otel/wafprocessor/metadata.yaml

// Package wafprocessor is a processor of the OpenTelemetry Collector that runs log records of HTTP requests through the same filter as
// the Fluent Bit plugin. A batch of records goes in, and each HTTP record becomes a transaction. The batch comes out with verdicts as
// attributes and alerts as log records of their own.
package wafprocessor
