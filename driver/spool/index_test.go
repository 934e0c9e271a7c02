package spool

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/logfast/logfast/driver/store"
)

func TestStripes_InMetadata(t *testing.T) {
	long := make([]int64, maxStripes)
	for i := range long {
		long[i] = int64(i) << 22
	}
	for name, tt := range map[string]struct {
		index []int64
		kept  bool
	}{
		"none":            {nil, false},
		"one":             {[]int64{10}, false},
		"two":             {[]int64{10, 800_000}, true},
		"of 300 MB":       {long[:75], true},
		"of more than it": {long, false},
	} {
		meta := map[string]string{}
		addStripes(meta, tt.index)
		got, err := ReadStripes(meta[MetaStripes])
		if err != nil || tt.kept && !slices.Equal(got, tt.index) || !tt.kept && got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if err := (store.Attributes{ContentType: "application/gzip", Metadata: meta}).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := base64.RawURLEncoding.EncodeToString([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	for _, bad := range []string{"?", "gA", huge, string(make([]byte, 2*maxStripes))} {
		if got, err := ReadStripes(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
}
