package spool

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// MetaStripes is the name in an object's metadata of the index of its stripes, see
// Meta.Index: unsigned varints of encoding/binary, each stripe's begin less that of the
// stripe before, as unpadded base64 of the alphabet for URLs.
const MetaStripes = "stripes"

// maxStripes is the longest index in an object's metadata, in bytes: of a text of about
// 300 MB. An object with a longer one is read from its start.
const maxStripes = 400

// addStripes adds the index to an object's metadata.
func addStripes(meta map[string]string, index []int64) {
	if len(index) < 2 || len(index) > maxStripes {
		return // one stripe is the whole text
	}
	var b []byte
	before := int64(0)
	for _, at := range index {
		b = binary.AppendUvarint(b, uint64(at-before))
		before = at
	}
	if s := base64.RawURLEncoding.EncodeToString(b); len(s) <= maxStripes {
		meta[MetaStripes] = s
	}
}

// ReadStripes returns the index that an object's metadata has; nil if it has none.
func ReadStripes(s string) ([]int64, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s[:min(len(s), maxStripes+1)])
	if err != nil || len(s) > maxStripes {
		return nil, errStripes
	}
	var index []int64
	at := uint64(0)
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		if n <= 0 || d > maxCount || at+d > maxCount {
			return nil, errStripes
		}
		at += d
		index = append(index, int64(at))
		b = b[n:]
	}
	return index, nil
}

var errStripes = errors.New("the index of its stripes is damaged")
