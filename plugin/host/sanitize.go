//go:build waf_sanitize

package host

// The C of this package under the sanitizers of addresses and of undefined behavior, for a host that is built with them.

// #cgo CFLAGS: -fsanitize=address,undefined -fno-omit-frame-pointer -g
// #cgo LDFLAGS: -fsanitize=address,undefined
import "C"
