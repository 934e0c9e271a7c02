package journal

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/durable"
)

// FuzzRegistry reads whatever a disk may have made of a registered stream.
func FuzzRegistry(f *testing.F) {
	good, err := json.Marshal(Entry{FIFO: "/run/docker/logging/abc", Stream: spool.Stream{ID: "1", Name: "web", Format: "cri"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, make([]byte, cursorSize))
	f.Add(good[:len(good)/2], []byte("short"))
	f.Add([]byte(`{"fifo":"../../x","stream":{"id":"1","name":"../..","format":"raw"}}`), []byte{})
	f.Add([]byte("null"), bytes.Repeat([]byte{0xff}, cursorSize+9))
	f.Fuzz(func(t *testing.T, data, cursor []byte) {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		dir, err := durable.OpenLasting(root, Dir, 0o700)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		j := &Journal{root: dir}
		name := Name("/nowhere/fifo")
		if err := root.WriteFile(Dir+"/"+name+EntrySuffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := root.WriteFile(Dir+"/"+name+CursorSuffix, cursor, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := j.read(name + EntrySuffix)
		if err == nil && (e.FIFO == "" || strings.ContainsAny(e.Stream.Dir(), "/\x00\n") || strings.HasPrefix(e.Stream.Dir(), ".")) {
			t.Errorf("read %+v", e)
		}
		c, err := j.cursor("/nowhere/fifo")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i, ok, err := c.Get(); ok && err == nil {
			if err := c.Set(i); err != nil {
				t.Fatal(err)
			}
			if again, ok, err := c.Get(); again != i || !ok || err != nil {
				t.Errorf("%+v, then %+v, %v, %v", i, again, ok, err)
			}
		}
	})
}
