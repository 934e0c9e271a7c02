// Package await is for tests that wait for another process or goroutine that
// sends no signal.
package await

import (
	"testing"
	"time"
)

// Patience is how long a test waits before it fails. It is far above what
// anything takes on a busy machine. Tests that run for hours raise it in an init.
var Patience = time.Minute

// Until waits until ok returns true, and fails the test after Patience. What
// completes the sentence "it never came to be that …"; explain, if given, returns
// what helps to find out why, such as a log.
func Until(t testing.TB, what string, ok func() bool, explain ...func() string) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().Before(deadline) {
			continue
		}
		why := ""
		for _, f := range explain {
			why += "\n" + f()
		}
		t.Fatalf("after %v: it never came to be that %s%s", Patience, what, why)
	}
}
