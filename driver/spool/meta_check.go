package spool

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool/pack"
	"github.com/logfast/logfast/driver/store"
)

// Bounds of what is read about a segment or a container, from a file or from the
// metadata of an object. What logfast writes is far below them.
const (
	maxJSON  = 32 << 20 // bytes in a file; the index of a packed terabyte has 4 MiB
	maxName  = 64 << 10 // bytes in a name, label or option
	maxCount = 1 << 50  // bytes or lines of a text
)

// check says why a description that was read is not one that logfast wrote, for a
// segment with this name. Such a description is damaged: it is not used.
func (m *Meta) check(n Name) error {
	if err := store.CheckKey(m.Key); err != nil {
		return err
	}
	if m.Seq != n.Seq {
		return fmt.Errorf("its number is %d, not %d", m.Seq, n.Seq)
	}
	if err := m.Stream.check(); err != nil {
		return err
	}
	if err := CheckCounts(m.Lines, m.Bytes, m.Errors); err != nil {
		return err
	}
	times := []time.Time{m.First, m.Last, m.LastError}
	if m.Lost != nil {
		times = append(times, m.Lost.From, m.Lost.To)
		if m.Lost.Lines < 0 || m.Lost.Bytes < 0 || len(m.Lost.Reason) > maxName {
			return fmt.Errorf("it lost %d lines and %d bytes", m.Lost.Lines, m.Lost.Bytes)
		}
	}
	for _, at := range times {
		if !record.Sane(at) {
			return fmt.Errorf("it has the time %s", at.Format(time.RFC3339))
		}
	}
	if of, ok := ParseName(m.Absorbs); m.Absorbs != "" && (!ok || of.Active != n.Active || of.Stem() == n.Stem()) {
		return fmt.Errorf("it stands for %.80q as well", m.Absorbs)
	}
	if m.LostErrors < 0 {
		return fmt.Errorf("it lost %d errors", m.LostErrors)
	}
	for _, s := range []string{m.SHA256, m.SHA256Object} {
		if b, err := hex.DecodeString(s); err != nil || len(b) != 0 && len(b) != 32 {
			return fmt.Errorf("%.80q is not a SHA-256", s)
		}
	}
	if m.Event != "" && !eventPattern.MatchString(m.Event) {
		return fmt.Errorf("it belongs to the incident %.80q", m.Event)
	}
	return m.checkIndex()
}

// eventPattern is what an incident's ID is made of.
var eventPattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,63}$`)

// checkIndex checks where the stripes of a packed file begin.
func (m *Meta) checkIndex() error {
	if most := m.Bytes/pack.StripeSize + 1; int64(len(m.Index)) > most {
		return fmt.Errorf("its index has %d stripes, more than %d", len(m.Index), most)
	}
	before := int64(-1)
	for i, at := range m.Index {
		if at <= before || at > maxCount {
			return fmt.Errorf("stripe %d of its index begins at %d", i, at)
		}
		before = at
	}
	return nil
}

// CheckCounts says what is wrong with the counts of a text.
func CheckCounts(lines, bytes, errors int64) error {
	switch {
	case bytes < 0 || bytes > maxCount:
		return fmt.Errorf("it has %d bytes", bytes)
	case lines < 0 || lines > bytes:
		return fmt.Errorf("it has %d lines in %d bytes", lines, bytes)
	case errors < 0 || errors > bytes+1:
		return fmt.Errorf("it has %d errors in %d lines", errors, lines)
	}
	return nil
}

// check says why a description of a container is not one that logfast wrote.
func (s *Stream) check() error {
	for _, fields := range []map[string]string{s.Labels, s.Env} {
		if len(fields) > maxName {
			return fmt.Errorf("it has %d labels or variables", len(fields))
		}
		for name, value := range fields {
			if len(name) > maxName || len(value) > maxName {
				return fmt.Errorf("it has a label or a variable of %d bytes", len(name)+len(value))
			}
		}
	}
	for _, field := range []string{s.ID, s.Name, s.Image, s.Host, s.App, s.Group, s.Format, s.Scope, s.Redact} {
		if len(field) > maxName {
			return fmt.Errorf("it has a name of %d bytes", len(field))
		}
	}
	return nil
}
