package logs

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
)

// restart ends the process without a word and begins another one, which reads on in the
// container's streams if some are open.
func (s *fixture) restart(running bool) {
	s.Helper()
	key, err := spool.ParseKeyTemplate(spool.DefaultKey)
	if err == nil {
		err = s.Close()
	}
	if err == nil {
		s.Spool, err = spool.Open(s.path, spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1})
	}
	if err == nil {
		err = s.Recover(func(string) bool { return running })
	}
	if err == nil && running {
		s.w = s.Writer(s.stream)
		_, err = s.w.Resume(0, 0, 0)
	}
	if err != nil {
		s.Fatal(err)
	}
	s.cfg.Spool = s.Spool
}

// prunedSpool has two segments of ten lines, deleted but for the last n, and then ten lines
// in an active one, unless silent.
func prunedSpool(t *testing.T, left int, silent bool) *fixture {
	s := newSpool(t, record.CRI)
	for i := range 2 {
		s.lines(10*i, 10*i+9)
		s.seal()
	}
	s.advance(spool.Uploaded)
	if !silent {
		s.lines(20, 29)
	}
	for range 2 - left {
		s.prune()
	}
	return s
}

// noticeBefore is what docker logs prints before the first line that is left.
func noticeBefore(clock string) string {
	return "stderr:logfast: lines before 2026-11-23T" + clock +
		"Z are no longer on this host; what was uploaded is in the store\n"
}

func TestPruned_AfterARestart(t *testing.T) {
	for _, c := range []struct {
		name            string
		left            int
		silent, running bool
		want            []string
	}{
		{"a segment is left", 1, true, false, append([]string{noticeBefore("19:03:11")}, numbers(10, 19)...)},
		{"nothing is left", 0, true, false, []string{noticeBefore("19:03:21")}},
		{"nothing is left, and it runs", 0, true, true, []string{noticeBefore("19:03:21")}},
		{"the active file is left", 0, false, true, append([]string{noticeBefore("19:03:21")}, numbers(20, 29)...)},
		{"the active file is left of one that has ended", 0, false, false,
			append([]string{noticeBefore("19:03:21")}, numbers(20, 29)...)},
		{"nothing was deleted", 2, false, true, numbers(0, 29)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := prunedSpool(t, c.left, c.silent)
			for range 3 {
				s.restart(c.running)
				s.want(all, c.want...)
			}
			s.want(Request{Tail: 0})
			s.want(Request{Tail: -1, Since: at(60)})
			if c.running && !c.silent { // the numbers of the segments began again
				s.seal()
				s.want(all, c.want...)
				s.lines(30, 30)
				s.want(all, append(c.want, numbers(30, 30)...)...)
				s.want(Request{Tail: 11}, numbers(20, 30)...)
			}
			s.stream.ID = strings.Repeat("f", 64)
			s.want(all)
		})
	}
}

// TestPruned_AnotherLife deletes all of a container, which then starts again.
func TestPruned_AnotherLife(t *testing.T) {
	s := prunedSpool(t, 0, true)
	if _, err := s.w.Close(); err != nil {
		t.Fatal(err)
	}
	s.want(all, noticeBefore("19:03:21"))
	s.w = s.Writer(s.stream)
	s.lines(40, 41)
	s.want(all, append([]string{noticeBefore("19:03:41")}, numbers(40, 41)...)...)
	s.want(Request{Tail: 2}, numbers(40, 41)...)
}

// archivedLines is an object of the store with the lines from first to last.
func (s *fixture) archivedLines(seq, first, last int) Archived {
	var text []byte
	w := record.NewWriter(record.CRI, "web-1", "shop", "1a2b")
	for i := first; i <= last; i++ {
		line := strings.TrimSuffix(strings.TrimPrefix(numbers(i, i)[0], "stdout:"), "\n")
		text = w.Append(text, &record.Record{Time: at(i).UnixNano(), Text: []byte(line)})
	}
	return Archived{
		Meta: spool.Meta{
			Stream: s.stream, Seq: seq, First: at(first), Last: at(last),
			Lines: int64(last - first + 1), Bytes: int64(len(text)),
		},
		Certain: true,
		Open: func() (*spool.Text, error) {
			return spool.NewText(bytes.NewReader(text), int64(len(text)), spool.Sealed, nil), nil
		},
	}
}

// neither is noticeBefore for lines that the store does not have either.
func neither(clock string) string {
	return "stderr:logfast: lines before 2026-11-23T" + clock + "Z are neither on this host nor in the store\n"
}

func TestPruned_WithTheArchive(t *testing.T) {
	s := prunedSpool(t, 0, true)
	first, second := s.archivedLines(1, 0, 9), s.archivedLines(2, 10, 19)
	later := s.archivedLines(1, 50, 59) // after the numbers began again
	for _, running := range []bool{true, false} {
		s.restart(running)
		for _, c := range []struct {
			name  string
			store []Archived
			want  []string
		}{
			{"all of it", []Archived{first, second}, numbers(0, 19)},
			{"the end of it", []Archived{second},
				append([]string{neither("19:03:11")}, numbers(10, 19)...)},
			{"what came later", []Archived{later},
				append([]string{neither("19:03:51")}, numbers(50, 59)...)},
			{"nothing", nil, []string{noticeBefore("19:03:21")}},
		} {
			s.want(Request{Tail: -1, Older: func(time.Time) ([]Archived, error) { return c.store, nil }}, c.want...)
		}
		refuse := func(time.Time) ([]Archived, error) { return nil, errors.New("no route") }
		got := s.read(Request{Tail: -1, Older: refuse})
		if len(got) != 1 || !strings.HasSuffix(got[0], "in the store, which cannot be read: no route\n") {
			t.Errorf("%q", got)
		}
	}
}
