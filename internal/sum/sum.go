// Package sum adds counts that were read from a text, a file, a store or a peer:
// each may be as large as its type allows.
package sum

import "math"

// Add returns the sum of counts, and math.MaxInt64 if it is larger than that. A
// negative count is not a count: it adds nothing.
func Add(counts ...int64) int64 {
	total := int64(0)
	for _, n := range counts {
		n = max(n, 0)
		if total > math.MaxInt64-n {
			return math.MaxInt64
		}
		total += n
	}
	return total
}
