package capture

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/durable"
)

// RecentLoss is what one container has lost lately for one reason.
type RecentLoss struct {
	Container string    `json:"container"` // its directory below the spool
	Reason    string    `json:"reason"`    // one of LossReasons
	Lines     int64     `json:"lines"`
	Bytes     int64     `json:"bytes"`
	First     time.Time `json:"first"` // when it was discarded
	Last      time.Time `json:"last"`
}

// losses keeps recent losses, so that status says them first until somebody has
// looked, and for an hour at least. They outlive the process in a file, which is
// best effort: the marks in the text are what counts.
type losses struct {
	spool *spool.Spool
	save  func() // has writeFile called soon; must not wait

	// mu guards what follows. It is held for steps in memory only.
	mu     sync.Mutex
	kept   []RecentLoss // one for each container and reason
	looked time.Time    // when an operator looked last
	dirty  bool         // the file is behind
	tried  time.Time    // when the file was written last
	busy   bool         // it is being written
}

const (
	lossesDir  = ".lost"
	lossesFile = "recent.json"

	// lossRecent is how long a loss is said at least.
	lossRecent = time.Hour
	// lossEvery is how often the file is written at most.
	lossEvery = time.Second
	// maxLosses bounds what is kept. Further containers are counted as one.
	maxLosses = 100
	// otherContainers is the name of these.
	otherContainers = "other containers"
)

// note adds a loss.
func (l *losses) note(container, reason string, lines, bytes int64, now time.Time) {
	if lines == 0 && bytes == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.indexLocked(container, reason)
	if i < 0 && len(l.kept) >= maxLosses-len(LossReasons) {
		container = otherContainers
		i = l.indexLocked(container, reason)
	}
	if i < 0 {
		i = len(l.kept)
		l.kept = append(l.kept, RecentLoss{Container: container, Reason: reason, First: now})
	}
	at := &l.kept[i]
	at.Lines, at.Bytes, at.Last = at.Lines+lines, at.Bytes+bytes, now
	if !l.dirty {
		l.dirty = true
		l.save()
	}
}

func (l *losses) indexLocked(container, reason string) int {
	return slices.IndexFunc(l.kept, func(k RecentLoss) bool { return k.Container == container && k.Reason == reason })
}

// recent returns what was lost within the hour before now, or since somebody
// looked, the largest loss first.
func (l *losses) recent(now time.Time) []RecentLoss {
	l.mu.Lock()
	defer l.mu.Unlock()
	var recent []RecentLoss
	for _, k := range l.kept {
		if k.Last.After(l.looked) || now.Sub(k.Last) < lossRecent {
			recent = append(recent, k)
		}
	}
	slices.SortStableFunc(recent, func(a, b RecentLoss) int {
		return cmp.Or(cmp.Compare(b.Lines, a.Lines), cmp.Compare(b.Bytes, a.Bytes))
	})
	return recent
}

// seen notes that an operator has looked at the time now.
func (l *losses) seen(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) == 0 {
		return
	}
	l.looked = now
	l.kept = slices.DeleteFunc(l.kept, func(k RecentLoss) bool { return now.Sub(k.Last) >= lossRecent })
	if !l.dirty {
		l.dirty = true
		l.save()
	}
}

// due returns when the file is to be written, if it is.
func (l *losses) due() (at time.Time, some bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tried.Add(lossEvery), l.dirty && !l.busy
}

// lossesState is the file.
type lossesState struct {
	Looked time.Time    `json:"looked,omitzero"`
	Losses []RecentLoss `json:"losses"`
}

// writeFile writes the file, unless that is done already or nothing has changed.
// What cannot be written now is tried again.
func (l *losses) writeFile() error {
	l.mu.Lock()
	if l.busy || !l.dirty {
		l.mu.Unlock()
		return nil
	}
	l.busy, l.dirty, l.tried = true, false, time.Now()
	data, err := json.MarshalIndent(lossesState{l.looked, l.kept}, "", "  ")
	l.mu.Unlock()
	if err == nil {
		var dir durable.Root
		if dir, err = l.spool.State(lossesDir); err == nil {
			err = errors.Join(durable.WriteFile(dir, lossesFile, append(data, '\n'), 0o600), dir.Close())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = false
	l.dirty = l.dirty || err != nil
	return err
}

// load reads what a process before this one has kept.
func (l *losses) load() error {
	data, err := l.spool.ReadState(lossesDir, lossesFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var was lossesState
	if err == nil {
		err = json.Unmarshal(data, &was)
	}
	if err != nil {
		return fmt.Errorf("read what was lost lately: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(was.Losses[:min(len(was.Losses), maxLosses)], l.kept...)
	l.looked = was.Looked
	return nil
}
