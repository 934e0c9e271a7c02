package ship

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/incident"
)

const years = 4 * 365 * 24 * 3600 // seconds

// TestPrune_WhatBearsATimeOfTheFuture has a clock that was years ahead name a
// segment and an incident. They go once they have been there for as long as any.
func TestPrune_WhatBearsATimeOfTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3*time.Hour)
		dir := b.withIncidents(nil)
		ahead := incident.NewID(time.Now().AddDate(4, 0, 0))
		name := filepath.Join(b.dir, incident.StateDir, ahead+"."+string(incident.Uploaded))
		if err := os.WriteFile(name, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.seal("web", years, spool.Stop)
		b.seal("web", 0, spool.Stop)
		b.run(2 * time.Hour)
		all, err := dir.List()
		if n := b.states()[spool.Uploaded]; n != 2 || len(all) != 1 || err != nil {
			t.Fatalf("after two hours %d copies are there, want 2; incidents %v, %v", n, all, err)
		}
		b.run(3 * time.Hour) // the next process
		all, err = dir.List()
		if n := b.states()[spool.Uploaded]; n != 0 || len(all) != 0 || err != nil {
			t.Errorf("after five hours %d copies are there, want none; incidents %v, %v", n, all, err)
		}
	})
}

// skewed is what a store answers whose clock differs.
type skewed struct{ error }

func (skewed) ClockSkew() bool { return true }
func (skewed) Unwrap() error   { return store.ErrBlocked }

// TestUpload_TheFirstClockSkewIsAWarning has a store refuse because of the clocks:
// once, as after a clock was set, and for good.
func TestUpload_TheFirstClockSkewIsAWarning(t *testing.T) {
	for name, refusals := range map[string]int{"once": uploads, "for good": 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 240*time.Hour)
				b.store.slow = time.Second // so that the first refusals come together
				b.store.fail = func(_ string, attempt int) error {
					if attempt <= refusals {
						return fmt.Errorf("%w", skewed{store.ErrBlocked})
					}
					return nil
				}
				for n := range uploads + 1 {
					b.seal("web", n, spool.Stop)
				}
				b.run(time.Hour)
				errors, warnings := b.said("level=ERROR", "uploads are blocked"), b.said("level=WARN", "clock")
				if (errors > 0) != (refusals > uploads) || warnings == 0 || b.health().Blocked != nil {
					t.Errorf("%d errors, %d warnings, blocked %v\n%s", errors, warnings, b.health().Blocked, b.log.String())
				}
			})
		})
	}
}

// TestIncidents_DamagedFiles has a power cut leave an incident's file empty or of NUL
// bytes. It is made anew of its segments, under its ID.
func TestIncidents_DamagedFiles(t *testing.T) {
	for _, state := range []incident.State{incident.Closing, incident.Built} {
		for how, content := range map[string][]byte{"empty": nil, "NUL bytes": make([]byte, 300)} {
			for _, gone := range []bool{false, true} {
				t.Run(fmt.Sprint(state, " ", how, " segments gone ", gone), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						b := newBench(t, time.Hour)
						dir := b.withIncidents(nil)
						r := b.event(dir, "web", "api")
						base := filepath.Join(b.dir, incident.StateDir, r.ID+".")
						if err := os.Remove(base + string(incident.Closing)); err != nil {
							t.Fatal(err)
						}
						if err := os.WriteFile(base+string(state), content, 0o600); err != nil {
							t.Fatal(err)
						}
						for _, m := range r.Members {
							if !gone {
								break
							}
							if err := os.RemoveAll(filepath.Join(b.dir, m.Dir)); err != nil {
								t.Fatal(err)
							}
						}
						b.run(10 * time.Minute)
						told := b.told()
						left, err := dir.Unbuilt()
						if gone && len(told) > 0 || !gone && (len(told) != 1 || told[0].ID != r.ID || len(told[0].Data.Objects) != 2 || told[0].Data.Closed != incident.ClosedRecover) {
							t.Errorf("%+v\n%s", told, b.log.String())
						}
						if len(left) > 0 || err != nil || b.said("level=ERROR", r.ID) == 0 {
							t.Errorf("left %v, %v\n%s", left, err, b.log.String())
						}
					})
				})
			}
		}
	}
}
