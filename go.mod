module github.com/fluent-bit-waf/fluent-bit-waf

go 1.26.0
