package sum

import (
	"math"
	"testing"
)

func TestAdd(t *testing.T) {
	for _, tt := range []struct {
		counts []int64
		want   int64
	}{
		{nil, 0}, {[]int64{1, 2, 3}, 6}, {[]int64{math.MaxInt64, 0}, math.MaxInt64}, {[]int64{math.MaxInt64 - 1, 1}, math.MaxInt64},
		{[]int64{math.MaxInt64, math.MaxInt64}, math.MaxInt64}, {[]int64{-5, 2, math.MinInt64}, 2},
	} {
		if got := Add(tt.counts...); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.counts, got, tt.want)
		}
	}
}
