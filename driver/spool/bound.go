package spool

import "slices"

// Beyond returns the uploaded segments of a directory for which the container's options
// max-file and max-size leave no place on this host, the oldest first. As with json-file,
// the active file counts as one file and so does a segment that was sealed because of its
// size. One that was sealed earlier, as for an error, counts by its bytes of text. What is
// not uploaded counts and stays. The newest segment stays if there is no active one.
func (s *Spool) Beyond(dir string) (beyond []Segment, err error) {
	all, err := s.Segments(dir)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	m, _ := s.Look(all[len(all)-1]) // without a description, nothing is known to bound it
	files, size := int64(m.Stream.MaxFile), m.Stream.MaxSize
	if files <= 0 || size <= 0 || size > maxCount/files {
		return nil, nil
	}
	left := files * size
	active := s.ActiveSize(dir) > 0
	if active {
		left -= size
	}
	for i, seg := range slices.Backward(all) {
		left -= s.share(seg, size)
		copied := Segment{Dir: dir, Name: seg.Name.in(Uploaded)}
		if newest := i == len(all)-1 && !active; left < 0 && !newest && s.Exists(copied) {
			beyond = append(beyond, copied)
		}
	}
	slices.Reverse(beyond)
	return beyond, nil
}

// share is how many bytes of its container's files a segment counts for.
func (s *Spool) share(seg Segment, size int64) int64 {
	if seg.Name.Reason == Size {
		return size
	}
	m, err := s.Look(seg)
	if err != nil {
		return size
	}
	return min(max(m.Bytes, 1), size)
}
