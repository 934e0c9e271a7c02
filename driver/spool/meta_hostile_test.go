package spool

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/format/record"
)

func readable() (*Meta, Name) {
	at := time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)
	return &Meta{
		Key: "logs/a.log.gz", Seq: 3, Reason: Error, First: at, Last: at, LastError: at, Lines: 5, Bytes: 500, Errors: 1,
		Stream: Stream{ID: strings.Repeat("1a2b", 16), Name: "web", Format: "cri"}, SHA256: strings.Repeat("ab", 32), Index: []int64{10},
	}, Name{Active: "web.log", Time: at, Seq: 3, Reason: Error, State: Sealed}
}

// TestMeta_Hostile checks descriptions that others may have put into the spool.
func TestMeta_Hostile(t *testing.T) {
	m, name := readable()
	if err := m.check(name); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Meta){
		"negative lines": func(m *Meta) { m.Lines = -1 },
		"lines":          func(m *Meta) { m.Lines = 501 },
		"bytes":          func(m *Meta) { m.Bytes = math.MaxInt64 },
		"errors":         func(m *Meta) { m.Errors = math.MaxInt64 },
		"lost errors":    func(m *Meta) { m.LostErrors = -1 },
		"lost lines":     func(m *Meta) { m.Lost = &record.Lost{Lines: -1} },
		"time":           func(m *Meta) { m.Last = time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC) },
		"number":         func(m *Meta) { m.Seq = -3 },
		"key":            func(m *Meta) { m.Key = "../../x" },
		"no key":         func(m *Meta) { m.Key = "" },
		"sum":            func(m *Meta) { m.SHA256Object = "\x1b" },
		"event":          func(m *Meta) { m.Event = "../x" },
		"index":          func(m *Meta) { m.Index = []int64{math.MaxInt64} },
		"index order":    func(m *Meta) { m.Index, m.Bytes = []int64{10, 10}, 8<<20 },
		"index length":   func(m *Meta) { m.Index = make([]int64, 100) },
		"name":           func(m *Meta) { m.Stream.Name = strings.Repeat("x", 100_000) },
	} {
		m, name := readable()
		change(m)
		if m.check(name) == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
}

// TestMeta_ADescriptionOfGigabytes: it is damaged, and not read.
func TestMeta_ADescriptionOfGigabytes(t *testing.T) {
	dir := t.TempDir()
	v, err := OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	_, name := readable()
	seg := Segment{Dir: "web-1a2b1a2b1a2b", Name: name}
	if err := os.Mkdir(filepath.Join(dir, seg.Dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{streamFile, name.metaName()} {
		f, err := os.Create(filepath.Join(dir, seg.Dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(100 << 30); err != nil { // a hole
			t.Fatal(err)
		}
		f.Close()
	}
	if m, err := v.Look(seg); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%+v, %v", m, err)
	}
}

func FuzzMeta(f *testing.F) {
	m, name := readable()
	data, err := json.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &Meta{}
		if json.Unmarshal(data, m) != nil || m.check(name) != nil {
			return
		}
		if m.Lines < 0 || m.Lines > m.Bytes || m.Bytes > maxCount || m.First.Year() > 2262 {
			t.Fatalf("%+v", m)
		}
	})
}
