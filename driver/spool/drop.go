package spool

import (
	"errors"
	"os"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/sum"
)

// giveUp puts one line in the place of a pending segment's text, which says
// what is missing there; the segment goes the way of all others from there on.
//
//	write Meta with Lost             killed here: Recover goes on
//	write the line, rename to sealed killed here: Recover removes the packed text
//	remove the packed text
func (s *Spool) giveUp(seg Segment, m *Meta) (record.Lost, error) {
	size, err := s.sizeOf(seg)
	if err != nil {
		return record.Lost{}, err
	}
	if !m.dropped() {
		m.Lost = addLost(m.Lost,
			record.Lost{Lines: m.Lines, Bytes: m.Bytes, Reason: DiskFull, From: m.First, To: m.Last})
		m.Partly = false
	}
	text := m.lostText()
	m.LostErrors = sum.Add(m.LostErrors, m.Errors)
	m.Lines, m.Bytes, m.Errors, m.SHA256, m.SHA256Object, m.Index = 1, int64(len(text)), 0, "", "", nil
	m.LastError = time.Time{}
	if err := s.SaveMeta(seg, m); err != nil {
		return *m.Lost, err
	}
	sealed := Segment{Dir: seg.Dir, Name: seg.Name.in(Sealed)}
	if err := durable.WriteFile(s.root, sealed.Path(), text, fileMode); err != nil {
		return *m.Lost, err
	}
	s.used.Add(int64(len(text)) - size)
	if err := s.own(sealed.Path()); err != nil {
		return *m.Lost, err
	}
	err = durable.Remove(s.root, Segment{Dir: seg.Dir, Name: seg.Name.in(Packed)}.Path())
	if errors.Is(err, os.ErrNotExist) {
		err = nil // it was not packed
	}
	return *m.Lost, err
}

// dropped reports whether one line stands for the whole text.
func (m *Meta) dropped() bool { return m.Lost != nil && !m.Partly }

// givenUp says that the text is the one line, and what is packed is not.
func (m *Meta) givenUp() bool { return m.dropped() && m.SHA256 == "" }

// lostText is the record that stands for a text that was given up.
func (m *Meta) lostText() []byte {
	return lostRecord(&m.Stream, m.First, m.Lost)
}

// lostRecord is the record of a stream that says what is lost.
func lostRecord(of *Stream, at time.Time, lost *record.Lost) []byte {
	format, _ := record.ParseFormat(of.Format)
	w := record.NewWriter(format, of.Host, of.App, of.ShortID())
	return w.Append(nil, &record.Record{Time: at.UnixNano(), Stream: record.Stderr, Text: lost.Text()})
}

// finishGivingUp completes a giveUp that was cut off. What is packed since has
// its sum in the Meta; what is not has the size that the Meta says.
func (s *Spool) finishGivingUp(seg Segment) error {
	if seg.Name.State != Sealed && seg.Name.State != Packed {
		return nil
	}
	m, err := s.Meta(seg)
	if err != nil || !m.dropped() {
		return nil //nolint:nilerr // whoever needs the Meta says what is wrong with it
	}
	size, err := s.sizeOf(seg)
	if errors.Is(err, os.ErrNotExist) {
		return nil // another name of it was completed
	}
	if err != nil {
		return err
	}
	if done := seg.Name.State == Packed && m.SHA256 != "" || seg.Name.State == Sealed && size == m.Bytes; !done {
		if _, err = s.giveUp(seg, m); err != nil {
			return err
		}
	}
	if absorbed, ok := ParseName(m.Absorbs); ok {
		return s.remove(Segment{Dir: seg.Dir, Name: absorbed})
	}
	return nil
}

// isMark reports whether one line stands for the segment's text.
func (s *Spool) isMark(seg Segment) (bool, error) {
	m, err := s.Meta(seg)
	return err == nil && m.dropped(), err
}

// absorb makes m, which is a mark, stand for what the following segment held as well. It
// returns what that was. Repeated with the same segment, it changes nothing.
func (m *Meta) absorb(of *Meta, stem string) record.Lost {
	lost := record.Lost{Lines: of.Lines, Bytes: of.Bytes, Reason: DiskFull, From: of.First, To: of.Last}
	if of.dropped() {
		lost = *of.Lost
	} else if of.Lost != nil {
		lost = *addLost(of.Lost, lost)
	}
	if m.Absorbs == stem {
		return lost
	}
	m.Absorbs = stem
	m.Lost.Lines = sum.Add(m.Lost.Lines, lost.Lines)
	m.Lost.Bytes = sum.Add(m.Lost.Bytes, lost.Bytes)
	if lost.From.Before(m.Lost.From) {
		m.Lost.From = lost.From
	}
	if lost.To.After(m.Lost.To) {
		m.Lost.To = lost.To
	}
	m.LostErrors = sum.Add(m.LostErrors, sum.Add(of.Errors, of.LostErrors))
	if of.Last.After(m.Last) {
		m.Last = of.Last
	}
	return lost
}
