package spool

// recounts bounds how often packNew looks for new text. A stream can have room for one batch
// from before, so there is little to find after the first time.
const recounts = 3

// packNew seals and packs what was written since the census, so that it costs no older text.
// Streams that had room before MakeRoom began may append meanwhile, and seal a segment first.
func (m *maker) packNew() {
	for range recounts {
		if m.enough() {
			return
		}
		sealed := len(m.made.Sealed)
		added, err := m.recount()
		if err != nil {
			m.errs = append(m.errs, err)
			return
		}
		for _, a := range added {
			if a.Name.State == Sealed && !m.enough() {
				m.packOne(a.owner, a.kept)
			}
		}
		m.sealLargest()
		m.awaitPacker()
		if len(added) == 0 && len(m.made.Sealed) == sealed {
			return
		}
	}
}

// arrival is a segment that was not there at the census.
type arrival struct {
	*kept
	owner *usage
}

// recount takes a new census and returns the segments that are new since the last one. What
// is known of the others stays.
func (m *maker) recount() (added []arrival, err error) {
	owners, err := m.s.census()
	if err != nil {
		return nil, err
	}
	known := map[string]*usage{}
	for _, o := range m.owners {
		known[o.dir] = o
	}
	for _, now := range owners {
		o := known[now.dir]
		if o == nil {
			o = &usage{dir: now.dir}
			m.owners = append(m.owners, o)
		}
		o.bytes, o.files = now.bytes, now.files
		stems := map[string]bool{}
		for _, k := range o.kept {
			stems[k.Name.Stem()] = true
		}
		for _, k := range now.kept {
			if !stems[k.Name.Stem()] {
				o.kept = append(o.kept, k)
				added = append(added, arrival{k, o})
			}
		}
	}
	return added, nil
}
