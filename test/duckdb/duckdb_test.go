// Package duckdb asks an archive that logfast wrote in SQL, as examples/sql
// says. It is a module of its own: DuckDB is no part of the product.
package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/ship"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
)

const examples = "../../examples/sql/"

// written is what containers print, by partition.
var written = []struct {
	dt, host, app  string
	stdout, stderr int
}{
	{"2026-11-22", "web-1", "shop", 120, 3},
	{"2026-11-23", "web-1", "shop", 250, 40},
	{"2026-11-23", "web-1", "api", 77, 0},
	{"2026-11-23", "web-2", "shop", 11, 5},
}

func TestCountsByPartition(t *testing.T) {
	archive := t.TempDir()
	for _, host := range []string{"web-1", "web-2"} {
		run(t, archive, host)
	}
	db := open(t, archive)
	total := 0
	for _, w := range written {
		for stream, want := range map[string]int{"stdout": w.stdout, "stderr": w.stderr} {
			total += want
			var got, times int
			err := db.QueryRow("SELECT count(*), count(DISTINCT time) FROM logs WHERE dt = ? AND host = ? AND app = ? AND stream = ? AND tag = 'F' AND text LIKE 'line %, \"quoted\", 20%'",
				w.dt, w.host, w.app, stream).Scan(&got, &times)
			if err != nil {
				t.Fatal(err)
			}
			if got != want || times != want {
				t.Errorf("%s %s %s %s: %d lines at %d times, written were %d", w.dt, w.host, w.app, stream, got, times, want)
			}
		}
	}
	expression := regexp.MustCompile(`'input.regex' = '(.*)'\)`).FindStringSubmatch(read(t, "athena.sql"))
	for what, query := range map[string]string{
		"lines":                                  "SELECT count(*) FROM logs",
		"lines that Athena's expression matches": "SELECT count(*) FROM logs WHERE regexp_full_match(line, '" + expression[1] + "')",
	} {
		var got int
		if err := db.QueryRow(query).Scan(&got); err != nil || got != total {
			t.Errorf("%s: %d (%v), written were %d", what, got, err, total)
		}
	}
	// A partition that is asked for is all that is read.
	rows, err := db.Query("EXPLAIN ANALYZE SELECT count(*) FROM logs WHERE dt = DATE '2026-11-22'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	plan := ""
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		plan += text
	}
	if !regexp.MustCompile(`Total Files Read: *1\b`).MatchString(plan) {
		t.Errorf("one day's query reads more than that day's object:\n%s", plan)
	}
}

func TestIncidents(t *testing.T) {
	archive := t.TempDir()
	at := time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)
	for i, host := range []string{"web-1", "web-1", "web-2"} {
		event := incident.Event{
			SpecVersion: "1.0", ID: fmt.Sprint(i), Source: "/logfast/" + host, Type: incident.TypeShipped, Subject: "shop", Time: at,
			DataContentType: "application/json",
			Data: incident.Incident{
				ID: fmt.Sprint(i), Host: host, Scope: "container", First: at, Last: at, Closed: incident.ClosedQuiet, Errors: int64(10 + i),
				ByStatus:     map[string]int64{"502": int64(10 + i)},
				Fingerprints: []incident.Fingerprint{{ID: "0123456789abcdef", App: "shop", Route: "/orders/{n}", Status: 502, Errors: int64(10 + i)}},
			},
		}
		text, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		put(t, archive, fmt.Sprintf("incidents/dt=2026-11-23/host=%s/20261123T190301.000000Z-%d.json", host, i), text)
	}
	db := open(t, archive)
	var n, errors int
	var route string
	err := db.QueryRow("SELECT count(*), sum(data.errors), max(data.fingerprints[1].route) FROM incidents WHERE dt = DATE '2026-11-23' AND host = 'web-1'").Scan(&n, &errors, &route)
	if err != nil || n != 2 || errors != 21 || route != "/orders/{n}" {
		t.Errorf("web-1: %d incidents with %d errors on %q (%v)", n, errors, route, err)
	}
}

// The table of incidents has the columns of the code's type, no other and none
// of another type.
func TestAthenaColumns(t *testing.T) {
	var columns []string
	for field := range reflect.TypeFor[incident.Event]().Fields() {
		columns = append(columns, "  `"+tag(field)+"` "+hive(field.Type))
	}
	if want := strings.Join(columns, ",\n"); !strings.Contains(read(t, "athena.sql"), "logfast_incidents (\n"+want+"\n)") {
		t.Errorf("athena.sql: the columns of logfast_incidents should be\n%s", want)
	}
}

func tag(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// hive is a type as Hive writes it. group is a reserved word there.
func hive(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time](), t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Int:
		return "int"
	case t.Kind() == reflect.Int64:
		return "bigint"
	case t.Kind() == reflect.Slice:
		return "array<" + hive(t.Elem()) + ">"
	case t.Kind() == reflect.Map:
		return "map<" + hive(t.Key()) + "," + hive(t.Elem()) + ">"
	case t.Kind() == reflect.Pointer:
		return hive(t.Elem())
	}
	var fields []string
	for field := range t.Fields() {
		name := tag(field)
		if name == "group" {
			name = "`group`"
		}
		fields = append(fields, name+":"+hive(field.Type))
	}
	return "struct<" + strings.Join(fields, ",") + ">"
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(examples + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// open makes the views of examples/sql over an archive.
func open(t *testing.T, archive string) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for statement := range strings.SplitSeq(strings.ReplaceAll(read(t, "duckdb.sql"), "'my-logs/", "'"+archive+"/"), ";\n") {
		// DuckDB makes no view of files that are not there.
		_, view, ok := strings.Cut(statement, "CREATE VIEW ")
		if name, _, _ := strings.Cut(view, " "); !ok || !exists(filepath.Join(archive, name)) {
			continue
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%v:\n%s", err, statement)
		}
	}
	return db
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// put writes an object beside logfast's.
func put(t *testing.T, archive, key string, data []byte) {
	t.Helper()
	path := filepath.Join(archive, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// run lets the containers of one host print through logfast: dockerd's FIFO,
// CAPTURE, SHIP, a directory store.
func run(t *testing.T, archive, host string) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	key, err := spool.ParseKeyTemplate(spool.DefaultKey)
	check(t, err)
	spool, err := spool.Open(t.TempDir(), spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1})
	check(t, err)
	store, err := store.OpenDir(archive, store.DirOptions{UID: -1, GID: -1})
	check(t, err)
	shipper := ship.New(ship.Config{Spool: spool, Store: store, Keep: time.Hour, Log: log})
	captured, err := capture.New(capture.Config{
		Spool: spool, Host: host, Sealed: shipper.Wake, Log: log,
		Defaults: options.Options{Scope: options.ScopeContainer, MaxSize: 1 << 20, Fsync: options.FsyncInterval, Policy: fasttrack.Policy{Quiet: time.Hour, MaxDelay: time.Hour}},
	})
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { captured.Run(ctx) })
	running.Go(func() { shipper.Run(ctx) })

	objects := 0
	for i, w := range written {
		if w.host != host {
			continue
		}
		objects++
		fifo := filepath.Join(t.TempDir(), "fifo")
		check(t, unix.Mkfifo(fifo, 0o600))
		end, err := os.OpenFile(fifo, os.O_RDWR, 0)
		check(t, err)
		check(t, captured.Start(fifo, options.Info{ContainerID: fmt.Sprintf("%064x", i+1), ContainerName: "/c" + fmt.Sprint(i), Config: map[string]string{"tag": w.app}}))
		first, err := time.Parse(time.DateOnly, w.dt)
		check(t, err)
		var b []byte
		for n := range w.stdout + w.stderr {
			source := "stdout"
			if n >= w.stdout {
				source = "stderr"
			}
			b = frame.Append(b[:0], &frame.Entry{
				Source: []byte(source), TimeNano: first.Add(time.Duration(n+1) * time.Second).UnixNano(),
				Line: fmt.Appendf(nil, "line %d, \"quoted\", 200", n),
			})
			_, err := end.Write(b)
			check(t, err)
		}
		captured.Stop(fifo)
		end.Close()
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		found, err := filepath.Glob(filepath.Join(archive, "logs", "*", "host="+host, "*", "*.log.gz"))
		check(t, err)
		if len(found) == objects {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d objects, not %d: %v", host, len(found), objects, found)
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	running.Wait()
	check(t, captured.Close())
	check(t, spool.Close())
	check(t, store.Close())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
