package ship

import (
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/wake"
)

// While an event's quiet period runs, what will be sealed at its end is packed
// already, so that only the last lines are left to pack then.
const (
	aheadLeast = 2 * step // bytes of text; less is packed fast enough at the end
	aheadMost  = 4        // segments at once, each with about 6 MB of memory and a file

	// aheadPoll is how often active segments are looked at whether they have grown.
	aheadPoll = 250 * time.Millisecond
	// aheadStale is how long after that a text is kept for Pack, which may never
	// come: somebody gave it up.
	aheadStale = time.Minute
)

// Soon says that the active segment of a directory of the spool will be sealed,
// at the latest at the time by, and will be urgent then. It never waits, and may
// be repeated.
func (s *Shipper) Soon(dir string, by time.Time) {
	s.mu.Lock()
	if s.expected == nil {
		s.expected = map[string]time.Time{}
	}
	s.expected[dir] = by
	s.mu.Unlock()
	wake.Up(s.soon)
}

// ahead is what is packed ahead. It belongs to the packer.
type ahead struct {
	texts map[string]*aheadText // by directory
}

type aheadText struct {
	packing *spool.Packing // nil: too short so far, or too many others
	by      time.Time      // when it is sealed at the latest
}

// tick fires when it is time to look again, if there is anything to look at.
func (a *ahead) tick() <-chan time.Time {
	if len(a.texts) == 0 {
		return nil
	}
	return time.After(aheadPoll)
}

// take gives out what is packed of a segment's text. The next segment of the
// directory may be packed ahead as well.
func (a *ahead) take(seg spool.Segment) *spool.Packing {
	t := a.texts[seg.Dir]
	if t == nil || !t.packing.Of(seg) {
		return nil // an older one of the directory, perhaps
	}
	packing := t.packing
	t.packing = nil
	return packing
}

// packAhead packs one step of each text and reports whether one has more.
func (p *packer) packAhead() (more bool) {
	p.expect()
	now := time.Now()
	for dir, t := range p.ahead.texts {
		if now.Sub(t.by) > aheadStale {
			p.giveUpAhead(dir, nil)
			continue
		}
		if t.packing == nil && (p.cfg.Spool.ActiveSize(dir) < aheadLeast || p.ahead.under() >= aheadMost) {
			continue
		}
		var active bool
		var err error
		if t.packing, active, err = p.cfg.Spool.PackAhead(dir, t.packing); err == nil && active &&
			t.packing.Left() >= step {
			p.courtesy.do(func() { _, err = t.packing.Step(step) })
			more = more || t.packing.Left() >= step
		}
		if err != nil {
			p.giveUpAhead(dir, err)
		}
	}
	return more
}

// expect takes note of what Soon said.
func (p *packer) expect() {
	p.mu.Lock()
	expected := p.expected
	p.expected = nil
	p.mu.Unlock()
	for dir, by := range expected {
		if p.ahead.texts == nil {
			p.ahead.texts = map[string]*aheadText{}
		}
		if p.ahead.texts[dir] == nil {
			p.ahead.texts[dir] = &aheadText{}
		}
		p.ahead.texts[dir].by = by
	}
}

// under counts the texts that are being packed.
func (a *ahead) under() (n int) {
	for _, t := range a.texts {
		if t.packing != nil {
			n++
		}
	}
	return n
}

// giveUpAhead forgets a text. It is packed from its start when it is sealed.
func (p *packer) giveUpAhead(dir string, why error) {
	err := p.ahead.texts[dir].packing.Drop()
	delete(p.ahead.texts, dir)
	if why != nil || err != nil {
		p.cfg.Log.Warn("packing ahead was given up; the segment is packed once it is sealed", "directory", dir,
			"err", why, "cleaning", err)
	}
}

func (p *packer) dropAhead() {
	for dir := range p.ahead.texts {
		p.giveUpAhead(dir, nil)
	}
}
