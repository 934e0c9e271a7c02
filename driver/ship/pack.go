package ship

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack"
	"github.com/logfast/logfast/internal/wake"
)

// step is how much text is packed before the packer looks what else there is.
const step = pack.StripeSize

// workers is how many processors pack a segment that is urgent.
func workers() int { return min(runtime.GOMAXPROCS(0), 4) }

// packer is the loop that packs. Its goroutine owns it.
type packer struct {
	*Shipper
	queue    queue
	out      outage // of the disk: it is full, as a rule
	courtesy courtesy
	ahead    ahead
	nested   bool // a segment is packed while another one is: it must not make room
}

func (s *Shipper) newPacker() *packer {
	return &packer{Shipper: s, courtesy: courtesy{written: s.cfg.Spool.Written}}
}

// pack packs one segment after another until ctx ends, whether or not the
// store can be reached: packed segments take less of the disk.
func (s *Shipper) pack(ctx context.Context) {
	p := s.newPacker()
	defer p.dropAhead()
	s.refresh(&p.queue, spool.Sealed)
	for ctx.Err() == nil {
		j, wait := p.next()
		if j != nil {
			p.packOne(ctx, j)
			p.look()
			continue
		}
		if p.packAhead() {
			p.look()
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.sealed:
			s.refresh(&p.queue, spool.Sealed)
		case <-s.packAgain:
			p.out = outage{}
			p.queue.hurry()
			s.refresh(&p.queue, spool.Sealed)
		case <-s.soon:
		case <-p.ahead.tick():
		case <-until(wait):
			s.refresh(&p.queue, spool.Sealed)
		}
	}
}

// look takes note of what was sealed meanwhile: it may be urgent.
func (p *packer) look() {
	select {
	case <-p.sealed:
		p.refresh(&p.queue, spool.Sealed)
	default:
	}
}

// next returns the segment to pack, or when there may be one.
func (p *packer) next() (*job, time.Time) {
	now := time.Now()
	if p.out.notBefore.After(now) {
		return nil, p.out.notBefore
	}
	return p.queue.next(now, p.out.failures > 0)
}

// packOne packs one segment and says what became of it.
func (p *packer) packOne(ctx context.Context, j *job) {
	run := func(g *spool.Packing) error { return p.standBack(ctx, g) }
	if j.urgent {
		run = func(g *spool.Packing) error { return hurry(ctx, g) }
	}
	seg, err := p.cfg.Spool.Pack(j.seg, p.ahead.take(j.seg), run)
	if !p.nested && ctx.Err() == nil {
		err = p.cfg.Spool.AfterFull(err, spool.Need{Bytes: int(p.cfg.Spool.Size(j.seg)), Quick: true},
			func() (err error) {
				seg, err = p.cfg.Spool.Pack(j.seg, nil, func(g *spool.Packing) error { return hurry(ctx, g) })
				return err
			})
	}
	if ctx.Err() != nil {
		return
	}
	gone := err != nil && p.cfg.Spool.Gone(j.seg)
	if packed := asPacked(j.seg); gone && p.cfg.Spool.Exists(packed) {
		seg, err = packed, nil // only the removal of its text failed, and did not
	}
	switch {
	case err == nil:
		p.out = outage{}
		p.queue.done(j)
		p.handOver(&job{seg: seg, urgent: j.urgent, lost: j.lost})
	case gone:
		p.lostIfGone(j)
		p.queue.done(j)
	case errors.Is(err, spool.ErrHeld):
		p.queue.retry(j, time.Now(), p.pace) // somebody gives it up, or cannot
	default:
		p.failed(err)
		now := time.Now()
		p.queue.retry(j, now, p.pace)
		pause := p.out.failed(now, p.pace)
		p.cfg.Log.Error("pack failed; will try again", "segment", j.seg.Path(), "attempt", j.attempts,
			"next", pause.Round(time.Millisecond), "err", err)
	}
}

// hurry packs with all that the machine has.
func hurry(ctx context.Context, g *spool.Packing) error {
	n := workers()
	g.SetWorkers(n)
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if more, err = g.Step(int64(n) * step); err != nil {
			return err
		}
	}
	return nil
}

// standBack packs when nobody else wants the processor, and lets go first what
// becomes urgent meanwhile.
func (p *packer) standBack(ctx context.Context, g *spool.Packing) (err error) {
	p.nested = true
	defer func() { p.nested = false }()
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.cfg.Spool.Pressed() { // capture waits for it
			if more, err = g.Step(step); err != nil {
				return err
			}
			continue
		}
		p.courtesy.do(func() { more, err = g.Step(step) })
		if err != nil {
			return err
		}
		p.look()
		p.rest(ctx)
		if p.out.notBefore.After(time.Now()) {
			continue
		}
		for j := p.queue.urgent(); j != nil; j = p.queue.urgent() {
			p.packOne(ctx, j)
			p.look()
		}
		p.packAhead()
	}
	return nil
}

// rest lets capture have the machine for a while, where it is busy, and takes
// note of what becomes urgent or is to be packed ahead meanwhile.
func (p *packer) rest(ctx context.Context) {
	for over := time.After(p.courtesy.rest()); !p.queue.hasUrgent(); {
		select {
		case <-ctx.Done():
			return
		case <-p.sealed:
			p.refresh(&p.queue, spool.Sealed)
		case <-p.soon:
			return
		case <-over:
			return
		}
	}
}

func asPacked(seg spool.Segment) spool.Segment {
	seg.Name.State = spool.Packed
	return seg
}

// handOver gives a packed segment to the uploader, which need not search the
// spool for it.
func (s *Shipper) handOver(j *job) {
	s.mu.Lock()
	s.handover = append(s.handover, j)
	s.mu.Unlock()
	wake.Up(s.packed)
}

func (s *Shipper) takeOver() []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.handover
	s.handover = nil
	return taken
}
