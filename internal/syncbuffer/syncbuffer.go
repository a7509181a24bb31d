// Package syncbuffer is a buffer for what programs under test write. Goroutines may write to it at the same time, and a test may read it
// meanwhile. Its zero value is empty and ready for use.
package syncbuffer

import (
	"bytes"
	"sync"
)

// Buffer collects text.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
