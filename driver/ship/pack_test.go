package ship

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestPackingStandsBack looks at the thread that packs, and at those that come
// after it.
func TestPackingStandsBack(t *testing.T) {
	nice := func() int {
		prio, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid()) // 20 minus the niceness
		if err != nil {
			t.Error(err)
		}
		return 20 - prio
	}
	usually := nice()
	var packing int
	politely(func() { packing = nice() })
	if packing != max(niceness, usually) {
		t.Errorf("packing has the niceness %d, want %d", packing, niceness)
	}
	for range 50 { // on whatever threads there are now
		done := make(chan int)
		go func() { done <- nice() }()
		if got := <-done; got != usually {
			t.Fatalf("other work has the niceness %d now, was %d", got, usually)
		}
	}
}
