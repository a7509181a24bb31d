package pipeline

// blockSize is the size in bytes of a block, unless one chunk is larger.
const blockSize = 128 << 10

// block is copies of chunks that have come one after the other and are inspected together: an input may hand over each record as a
// chunk of its own.
type block struct {
	data  []byte
	parts []part
}

// part is a chunk in a block.
type part struct {
	tag   string
	end   int // in the data
	items int // events in it
}

func (k *block) add(chunk []byte, tag string) {
	k.data = append(k.data, chunk...)
	k.parts = append(k.parts, part{tag: tag, end: len(k.data)})
}

func (k *block) hasRoom(chunk []byte) bool { return len(chunk) <= cap(k.data)-len(k.data) }

// chunks calls a function with each chunk.
func (k *block) chunks(do func(p *part, chunk []byte)) {
	begin := 0
	for i := range k.parts {
		p := &k.parts[i]
		do(p, k.data[begin:p.end])
		begin = p.end
	}
}
