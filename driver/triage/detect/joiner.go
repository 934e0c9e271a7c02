package detect

// MaxLine is how many bytes of a line a Joiner keeps; a Detector does not see
// what is beyond.
const MaxLine = 64 << 10

// Joiner puts the chunks of one source's lines together again. It keeps at
// most MaxLine bytes. The zero Joiner is ready; it belongs to one goroutine.
type Joiner struct {
	begun []byte
}

// Add takes the next chunk and says whether the line is complete. The line is
// valid until the next call. A chunk that is a whole line is not copied.
func (j *Joiner) Add(chunk []byte, more bool) (line []byte, complete bool) {
	if !more && len(j.begun) == 0 {
		return chunk, true
	}
	j.begun = append(j.begun, chunk[:min(len(chunk), MaxLine-len(j.begun))]...)
	if more {
		return nil, false
	}
	return j.Rest(), true
}

// Rest ends a line of which no further chunk will come, and returns what there
// is of it, nothing where none was begun.
func (j *Joiner) Rest() []byte {
	line := j.begun
	j.begun = nil
	return line
}
