package spool

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/store"
)

// FuzzKeyTemplate: whatever a template and a container's names are, a template
// that is taken makes keys that every store takes, with room for what SHIP adds
// where a foreign object has the key; and no name leads out of the spool.
func FuzzKeyTemplate(f *testing.F) {
	f.Add(DefaultKey, "1a2b3c4d5e6f", "web", "host", "app", "group", int64(1763924581123456789), 42)
	f.Fuzz(func(t *testing.T, template, id, name, host, app, group string, nano int64, seq int) {
		stream := Stream{ID: id, Name: name, Host: host, App: app, Group: group}
		for _, file := range []string{stream.Dir(), stream.ActiveName()} {
			if !filepath.IsLocal(file) || strings.ContainsAny(file, "/\x00\n") || strings.HasPrefix(file, ".") || len(file) > 255 {
				t.Errorf("%+q makes the file name %q", name, file)
			}
		}
		meta := Meta{Reason: Stop, Seq: seq, First: time.Unix(0, nano), Stream: Stream{ID: id, Name: name, Image: name, Format: "cri"}}
		if err := (store.Attributes{ContentType: "application/gzip", Metadata: meta.Metadata()}).Check(); err != nil {
			t.Error(err)
		}
		k, err := ParseKeyTemplate(template)
		if err != nil {
			return
		}
		if seq < 0 {
			seq = -(seq + 1)
		}
		for _, reason := range []Reason{Error, Schedule, Size, Stop, Manual, Recover} {
			key := k.Render(&Meta{Reason: reason, Seq: seq, First: time.Unix(0, nano), Stream: stream})
			if err := store.CheckKey(key); err != nil {
				t.Errorf("template %q: %v", template, err)
			}
			if len(key) > store.MaxKey-64 {
				t.Errorf("template %q makes a key of %d bytes", template, len(key))
			}
			for part := range strings.SplitSeq(key, "/") {
				if strings.HasPrefix(part, ".") {
					t.Errorf("template %q makes %q, which a directory store keeps for itself", template, key)
				}
			}
		}
	})
}
