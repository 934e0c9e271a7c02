package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/logfast/logfast/driver/segment"
)

// ByKey returns the segments of certain objects, in the order of time: from the
// spool where that has them.
func (a *Archive) ByKey(ctx context.Context, keys []string) (*List, error) {
	l := &List{a: a, keys: map[string]bool{}, stems: map[string]map[string]bool{}}
	if err := l.byKey(ctx, keys); err != nil {
		l.Close()
		return nil, err
	}
	sortByTime(l.Segments)
	return l, nil
}

func (l *List) byKey(ctx context.Context, keys []string) error {
	found := map[string]bool{}
	if l.a.cfg.Spool != nil {
		if err := l.spool(Query{}); err != nil {
			return fmt.Errorf("read the spool: %w", err)
		}
		kept := l.Segments[:0]
		for _, s := range l.Segments {
			name := named(s, keys)
			if name == "" || found[name] {
				if s.file != nil {
					s.file.Close() // nothing was written to it
				}
				continue
			}
			found[name] = true
			kept = append(kept, s)
		}
		l.Segments = kept
	}
	for _, key := range keys {
		if found[key] {
			continue
		}
		found[key] = true
		s := &Segment{Key: key, InStore: true, Lines: -1, Bytes: -1, Errors: -1}
		if m, ok := l.a.keys.Read(key); ok {
			s.keyed, s.Stream, s.Reason, s.Seq, s.First = l.a.keys, m.Stream, m.Reason, m.Seq, m.First
		}
		if l.a.cfg.Store != nil {
			if err := l.a.ask(ctx, []*Segment{s}); err != nil {
				return err
			}
		}
		if l.a.cfg.Store == nil || s.gone {
			return fmt.Errorf("no segment %q: logfast ls lists keys, and files of the spool", key)
		}
		s.foreign = false // somebody has asked for it by name
		l.Segments = append(l.Segments, s)
	}
	return nil
}

// named returns by which of the names the segment is meant, its key or its file.
func named(s *Segment, names []string) string {
	for _, name := range names {
		if name != "" && (name == s.Key || name == s.File) {
			return name
		}
	}
	return ""
}

// Numbered is a line of a segment's text, as it is stored.
type Numbered struct {
	Line int64  `json:"line"` // from 1
	Text string `json:"text"`
}

// Around returns the lines of an object around some of its lines, in their
// order and each once: context of them before and after each.
func (a *Archive) Around(ctx context.Context, key string, lines []int64, context int64) ([]Numbered, error) {
	l, err := a.ByKey(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	body, _, err := a.text(ctx, l.Segments[0])
	if err != nil {
		return nil, err
	}
	defer body.Close()
	last := int64(0)
	wanted := map[int64]bool{}
	for _, line := range lines {
		for n := max(1, line-context); n <= line+context; n++ {
			wanted[n] = true
			last = max(last, n)
		}
	}
	var found []Numbered
	r := bufio.NewReaderSize(body, 64<<10)
	for n := int64(1); n <= last; n++ {
		text, err := readLine(r, wanted[n])
		if err != nil && !errors.Is(err, io.EOF) {
			return found, fmt.Errorf("read %s: %w", key, err)
		}
		if wanted[n] && (err == nil || len(text) > 0) {
			found = append(found, Numbered{n, string(text)})
		}
		if err != nil {
			break
		}
	}
	return found, nil
}

// readLine reads a line, and keeps what it may of it if it is wanted.
func readLine(r *bufio.Reader, wanted bool) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if wanted && len(line) < maxLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(line, newline), err
		}
	}
}

// LastLine is segment.LatestLine for a whole segment: no line of it is later.
func (s *Segment) LastLine() (last int64) {
	if !s.Last.IsZero() {
		return s.Last.UnixNano()
	}
	latest := segment.LatestLine(s.First)
	if at := s.modified.Add(skew); !s.modified.IsZero() && at.Before(latest) {
		latest = at
	}
	return latest.UnixNano()
}
