package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// row is one way to keep what a container writes.
type row struct {
	name    string
	driver  string            // Docker's --log-driver
	options map[string]string // --log-opt
	plugin  *plugin           // that does it, if one does
	// file is where a container's lines appear; empty: they are not kept
	file func(b *bench, c container) string
}

// rows are all that are compared, in the order in which they run.
func (b *bench) rows() []row {
	logfast := map[string]string{}
	if !b.logfast.reads {
		logfast["cache-disabled"] = "true" // Docker's second copy, which is not logfast's cost
	}
	// A host's daemon.json may make json-file, its default driver, begin a new
	// file each 10 MB and drop old ones; Docker's own default is one file.
	return []row{
		{name: "json-file", driver: "json-file", options: map[string]string{
			"max-size": "100g",
		}, file: func(b *bench, c container) string {
			return filepath.Join(b.engine.root, "containers", c.id, c.id+"-json.log")
		}},
		{name: "local", driver: "local", file: func(b *bench, c container) string {
			return filepath.Join(b.engine.root, "containers", c.id, "local-logs", "container.log")
		}},
		{name: "naive", driver: b.naive.name, plugin: b.naive, options: map[string]string{"cache-disabled": "true"}},
		{name: "logfast", driver: b.logfast.name, plugin: b.logfast, options: logfast, file: func(b *bench, c container) string {
			return filepath.Join(b.logfast.spool, c.name+"-"+c.id[:12], c.name+".log")
		}},
	}
}

// with returns the row with more options, and another name where one is given.
func (r row) with(name string, options map[string]string) row {
	if name != "" {
		r.name = name
	}
	all := maps.Clone(r.options)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, options)
	r.options = all
	return r
}

// row returns the row of that name.
func (b *bench) row(name string) row {
	for _, r := range b.rows() {
		if r.name == name {
			return r
		}
	}
	panic("no row " + name)
}

// unsealed is logfast without a segment that is sealed, and then packed,
// because it is large: a longer one than any run writes.
func (b *bench) unsealed() row {
	return b.row("logfast").with("logfast, unsealed", map[string]string{"max-size": "4GB"})
}

// settle waits until logfast has shipped all that its containers wrote, so
// that the next row has the machine to itself. It fails where lines are
// missing: a driver that loses some is not fast.
func (b *bench) settle(ctx context.Context, r row, lines int, ids ...string) error {
	if r.plugin != b.logfast {
		return nil
	}
	progress := time.Now()
	for was := -1; ; time.Sleep(5 * time.Millisecond) {
		found, waiting := 0, 0
		for _, id := range ids {
			files, err := filepath.Glob(filepath.Join(b.logfast.spool, "*-"+id[:12], "*"))
			if err != nil {
				return err
			}
			for _, path := range files {
				var m struct{ Lines int }
				switch name := filepath.Base(path); {
				case name == ".stream.json":
				case strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".json"):
					if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &m) == nil {
						found += m.Lines
					}
				case !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".uploaded.gz"):
					waiting++
				}
			}
		}
		if waiting != was {
			was, progress = waiting, time.Now()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case waiting == 0 && found == lines:
			return nil
		case time.Since(progress) > 20*time.Second:
			return fmt.Errorf("logfast has %d of %d lines, and %d segments are not shipped", found, lines, waiting)
		}
	}
}
