package detect

import (
	"bytes"
	"testing"
)

func TestJoiner(t *testing.T) {
	var j Joiner
	whole := []byte("whole")
	if line, ok := j.Add(whole, false); !ok || &line[0] != &whole[0] {
		t.Fatalf("a whole line: %q, %v, or a copy", line, ok)
	}
	for range 2 {
		if line, ok := j.Add([]byte("a"), true); ok {
			t.Fatalf("a chunk became a line: %q", line)
		}
		if _, ok := j.Add([]byte("b"), true); ok {
			t.Fatal("a chunk became a line")
		}
		if line, ok := j.Add(nil, false); !ok || string(line) != "ab" {
			t.Fatalf("joined: %q, %v", line, ok)
		}
	}
}

func TestJoinerGivesUpTheRest(t *testing.T) {
	var j Joiner
	j.Add([]byte("a"), true)
	if rest := j.Rest(); string(rest) != "a" || j.Rest() != nil {
		t.Fatalf("the rest is %q, or does not end", rest)
	}
}

func TestJoinerIsBounded(t *testing.T) {
	var j Joiner
	chunk := bytes.Repeat([]byte("x"), 16<<10)
	for range 1000 {
		j.Add(chunk, true)
	}
	if cap(j.begun) > 2*MaxLine {
		t.Fatalf("keeps %d bytes of a line without end", cap(j.begun))
	}
	if line, ok := j.Add(chunk, false); !ok || len(line) != MaxLine {
		t.Fatalf("the line has %d bytes, %v", len(line), ok)
	}
}
