package spool

import (
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/logfast/logfast/internal/durable"
)

// AddError notes a server error in a line that is in the active segment
// already; event is a Batch's. Without a segment it does nothing.
func (w *Writer) AddError(event func(current string) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		w.meta.Errors++
		w.meta.sawError(w.meta.Last)
		w.meta.Event = event(w.meta.Event)
	}
}

// Rejoin calls event, a Batch's, where lines of the active segment, which an
// earlier process has written, report errors.
func (w *Writer) Rejoin(event func(current string) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.meta.Errors > 0 {
		w.meta.Event = event(w.meta.Event)
	}
}

// Seal ends the active segment and returns its path in the spool, or "" where
// there was none. When it fails the segment stays the writer's; the next Seal
// or Append tries again, with the same name.
//
//	fsync             killed here: Recover seals it
//	Spool.seal
func (w *Writer) Seal(reason Reason) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seal(reason)
}

func (w *Writer) seal(reason Reason) (string, error) {
	if w.file == nil {
		return "", nil
	}
	if err := w.restore(true); err != nil {
		return "", fmt.Errorf("seal %s: save the text: %w", path.Join(w.dir, w.stream.ActiveName()), err)
	}
	return w.sealRestored(reason)
}

// sealRestored is seal for a file that restore has just looked at.
func (w *Writer) sealRestored(reason Reason) (string, error) {
	if w.size == 0 {
		return "", w.discard()
	}
	if w.sealing == nil {
		w.meta.Reason, w.meta.Seq, w.meta.Stream = reason, w.seq+1, w.stream
		w.meta.Key = w.spool.key.Render(&w.meta)
		w.sealing = &Segment{Dir: w.dir, Name: Name{
			Active: w.stream.ActiveName(), Time: w.meta.First, Seq: w.meta.Seq, Reason: reason, State: Sealed,
		}}
	}
	w.meta.Bytes = w.size // by now: it may have been mended since the last try
	if err := errors.Join(w.cutTorn(), durable.Sync(w.file, path.Join(w.dir, w.stream.ActiveName()))); err != nil {
		return "", fmt.Errorf("seal %s: %w", w.sealing.Path(), err)
	}
	if err := w.spool.seal(*w.sealing, &w.meta); err != nil {
		return "", err
	}
	sealed := w.sealing.Path()
	if w.hurt != nil {
		w.hurt.Sealed = sealed
		w.spool.noteDamage(*w.hurt)
		w.hurt = nil
	}
	err := w.file.Close()
	w.file, w.size, w.meta, w.sealing, w.seq = nil, 0, Meta{}, nil, w.meta.Seq
	w.announce()
	return sealed, err
}

// Postpone lets the writer go on with an active segment whose seal has failed because the disk
// has no room for it: a seal needs a file, and lines do not. The next seal tries anew. It
// reports whether there is such a segment.
func (w *Writer) Postpone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil || w.size == 0 {
		return false
	}
	if w.sealing == nil {
		return true
	}
	if _, err := w.spool.root.Lstat(path.Join(w.dir, w.stream.ActiveName())); err != nil {
		return false // it is renamed, or that is not known: the seal must be completed
	}
	// Best effort: what describes the seal that was not made is removed by Recover as well.
	_ = durable.Unlink(w.spool.root, path.Join(w.dir, w.sealing.Name.metaName()))
	w.sealing = nil
	return true
}

// discard removes an active segment into which no batch got. Where it cannot,
// the next create does.
func (w *Writer) discard() error {
	if err := w.cutTorn(); err != nil {
		return err
	}
	err := errors.Join(w.file.Close(), durable.Remove(w.spool.root, path.Join(w.dir, w.stream.ActiveName())))
	w.file, w.meta, w.hurt = nil, Meta{}, nil
	w.announce()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove an empty segment: %w", err)
	}
	return nil
}
