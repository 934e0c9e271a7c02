package capture

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/store"
)

// TestHostileNames gives a container names that try to leave the spool, to hide
// in it or to break a line, and wants its text in one plain directory and its
// object under one plain key.
func TestHostileNames(t *testing.T) {
	long := strings.Repeat("n", 4<<10)
	for _, name := range []string{
		"../../etc/passwd", "..", ".", "", "/", ".hidden", "a/../../b", "a\x00b", "a\nb", "\x1b[31mred", long, long + "/..",
		"web.log-20261123T190301.123456Z-000042-error", "x.uploaded.gz", ".stream.json", "archive", "\xff\xfe", "con\\..\\x",
	} {
		h := newHost(t)
		c := h.container("web", map[string]string{"group": name[:min(len(name), 512)], "tag": "{{.ImageName}}", "fast-track-scope": "group"})
		if name == "" {
			c.info.Config = nil
		}
		c.info.ContainerName, c.info.ContainerImageName = "/"+name, name
		c.info.ContainerLabels = map[string]string{"com.docker.compose.project": name, "com.docker.compose.service": name}
		if err := h.Start(c.fifo, c.info); err != nil {
			t.Fatalf("%.40q: %v", name, err)
		}
		c.line(0, serverError)
		h.Stop(c.fifo)
		var visible, hidden []string
		err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(h.dir, path)
			switch parts := strings.Split(rel, "/"); {
			case err != nil || d.IsDir():
			case strings.HasPrefix(parts[0], ".") || len(parts) == 2 && strings.HasPrefix(parts[1], "."):
				hidden = append(hidden, rel)
			default:
				visible = append(visible, rel)
			}
			return err
		})
		if err != nil || len(visible) != 1 || strings.Count(visible[0], "/") != 1 || !strings.HasSuffix(visible[0], "-000001-error") {
			t.Errorf("%.40q: files %q, hidden %q, %v", name, visible, hidden, err)
			continue
		}
		all, err := h.cfg.Spool.List()
		if err != nil || len(all) != 1 {
			t.Fatalf("%.40q: %v, %v", name, all, err)
		}
		m, err := h.cfg.Spool.Meta(all[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := store.CheckKey(m.Key); err != nil || strings.Count(m.Key, "/") != 4 {
			t.Errorf("%.40q: key %q, %v", name, m.Key, err)
		}
		if err := (store.Attributes{ContentType: "text/plain", Metadata: m.Metadata()}).Check(); err != nil {
			t.Errorf("%.40q: metadata: %v", name, err)
		}
	}
}

// TestAHostileFIFO writes what no engine writes. Each must leave a mark or the
// lines, and the good line behind it must arrive.
func TestAHostileFIFO(t *testing.T) {
	for name, bad := range map[string]string{
		"a length of 4 GiB":         "\xff\xff\xff\xff",
		"a length within bounds":    "\x00\x00\x40\x00",
		"a frame beyond the pipe":   "\x00\x02\x00\x00\x0a\x06stdout",
		"a length of zero":          strings.Repeat("\x00", 400),
		"a torn frame":              "\x00\x00\x00\x64\x0a\x06stdout\x10\x01\x1a\x50half",
		"garbage":                   strings.Repeat("\x9c\xf1\x00\x01\x7f", 10_000),
		"many beginnings of frames": strings.Repeat("\x00\x00\x00\x09\x0a\x06std", 5_000),
		"a varint without end":      "\x00\x00\x00\x12\x0a\x06stdout\x10" + strings.Repeat("\xff", 9),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			c := h.start("web", nil)
			c.line(0, "before")
			if _, err := c.w.WriteString(bad); err != nil {
				t.Fatal(err)
			}
			for range 50 { // a length that promises more swallows some, which Resync finds again
				c.line(1, "after "+strings.Repeat("x", 1000))
			}
			h.Stop(c.fifo)
			text := c.text()
			want := 50
			if name == "a torn frame" {
				want = 49 // its rest is taken from the next frame, which nobody can tell
			}
			if !strings.Contains(text, " F before\n") || strings.Count(text, " F after ") != want || !strings.Contains(text, " bytes) lost, not a log frame, ") {
				t.Errorf("%.300q … %d lines after it", text, strings.Count(text, " F after "))
			}
			if len(text) > 200_000 {
				t.Errorf("%d bytes of text", len(text))
			}
		})
	}
}

// TestTheSpoolsOwnDirectoriesAreItsOwn plants a directory that others may write
// to where a container's will be.
func TestTheSpoolsOwnDirectoriesAreItsOwn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root, as which logfast runs in its plugin")
	}
	h := newHost(t)
	c := h.container("web", nil)
	dir := filepath.Join(h.dir, "web-"+c.info.ID())
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatal(err)
	}
	c.line(0, "x")
	h.Stop(c.fifo)
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil || st.Mode&0o777 != 0o750 || st.Uid != 0 {
		t.Errorf("mode %o, owner %d, %v", st.Mode&0o777, st.Uid, err)
	}
}
