package ship

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// TestRemoved_APendingSegmentIsCountedOnce removes what waits for a store that is
// away: it is neither tried for ever nor hidden.
func TestRemoved_APendingSegmentIsCountedOnce(t *testing.T) {
	for name, packed := range map[string]bool{"sealed": false, "packed": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, time.Hour)
			b.seal("web", 3, spool.Stop)
			var lost []record.Lost
			b.cfg.Removed = func(_ string, l record.Lost) { lost = append(lost, l) }
			p, u := b.newPacker(), &uploader{Shipper: b.Shipper}
			b.refresh(&p.queue, spool.Sealed)
			q := &p.queue
			if packed {
				j, _ := p.next()
				p.packOne(t.Context(), j)
				q = &u.queue
				for _, j := range b.takeOver() {
					q.add(j.seg, j.urgent, j.lost)
				}
			}
			if err := os.RemoveAll(filepath.Join(b.dir, dirs(t, b.dir)[0])); err != nil {
				t.Fatal(err)
			}
			state := spool.Sealed
			if packed {
				state = spool.Packed
			}
			b.refresh(q, state)
			b.refresh(q, state)
			if len(lost) != 1 || lost[0].Lines != 1 || lost[0].Bytes == 0 || lost[0].Reason != spool.FileRemoved {
				t.Errorf("%+v", lost)
			}
			if j, at := q.next(time.Now(), false); j != nil || !at.IsZero() {
				t.Errorf("%+v is tried again, at %v", j, at)
			}
			if !strings.Contains(b.log.String(), "was removed from the spool before it was in the store") {
				t.Error(b.log.String())
			}
		})
	}
}

// TestRemoved_WhileItIsPut: the segment goes while the store is asked.
func TestRemoved_WhileItIsPut(t *testing.T) {
	b := newBench(t, time.Hour)
	b.seal("web", 3, spool.Stop)
	var lost []record.Lost
	b.cfg.Removed = func(_ string, l record.Lost) { lost = append(lost, l) }
	p, u := b.newPacker(), &uploader{Shipper: b.Shipper}
	b.refresh(&p.queue, spool.Sealed)
	j, _ := p.next()
	p.packOne(t.Context(), j)
	for _, j := range b.takeOver() {
		u.queue.add(j.seg, j.urgent, j.lost)
	}
	j, _ = u.queue.next(time.Now(), false)
	if err := os.RemoveAll(filepath.Join(b.dir, dirs(t, b.dir)[0])); err != nil {
		t.Fatal(err)
	}
	b.refresh(&u.queue, spool.Packed) // under way: its result says what became of it
	err := u.put(t.Context(), j)
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	u.settle(result{job: j, err: err})
	if len(lost) != 1 || lost[0].Lines != 1 {
		t.Errorf("%+v", lost)
	}
}

func dirs(t *testing.T, spool string) (names []string) {
	entries, err := os.ReadDir(spool)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}
