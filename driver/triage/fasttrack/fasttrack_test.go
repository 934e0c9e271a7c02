package fasttrack

import (
	"slices"
	"testing"
	"time"
)

var (
	t0     = time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)
	policy = Policy{Quiet: 30 * time.Second, MaxDelay: 5 * time.Minute}
)

func at(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }

// run plays errors at the given seconds, looking each second, and returns the
// seconds at which the event became due.
func run(m *Machine, errors []int, until int) (due []int) {
	for s := range until {
		for range m.Due(at(s)) {
			due = append(due, s)
		}
		if slices.Contains(errors, s) {
			m.Error("web", policy, at(s))
		}
	}
	return due
}

func TestWhenAnEventIsDue(t *testing.T) {
	every := func(step, until int) (s []int) {
		for i := 0; i < until; i += step {
			s = append(s, i)
		}
		return s
	}
	for name, tt := range map[string]struct{ errors, due []int }{
		"none":                              {nil, nil},
		"one, then quiet":                   {[]int{5}, []int{35}},
		"each error begins the quiet again": {[]int{0, 10, 39}, []int{69}},
		"two events":                        {[]int{0, 100}, []int{30, 130}},
		"a steady stream every 5 minutes":   {every(1, 900), []int{300, 600, 900}},
		"just inside the quiet":             {every(29, 580), []int{300, 581}},
	} {
		// The steady stream's second event opens at the error in the second
		// in which the first closed.
		if got := run(&Machine{}, tt.errors, 1200); !slices.Equal(got, tt.due) {
			t.Errorf("%s: due at %v, want %v", name, got, tt.due)
		}
	}
}

func TestNextIsWhenDueFires(t *testing.T) {
	var m Machine
	if _, open := m.Next(); open {
		t.Fatal("an empty machine has a next event")
	}
	m.Error("b", Policy{Quiet: time.Minute, MaxDelay: time.Hour}, at(0))
	m.Error("a", policy, at(10))
	next, open := m.Next()
	if !open || !next.Equal(at(40)) {
		t.Fatalf("next %v, %v; want 40 s", next.Sub(t0), open)
	}
	if due := m.Due(next.Add(-1)); due != nil {
		t.Fatalf("due early: %v", due)
	}
	if due := m.Due(next); !slices.Equal(due, []Due{{Scope: "a"}}) {
		t.Fatalf("due %v, want a", due)
	}
	if !m.Open("b") || m.Open("a") {
		t.Fatal("a stays open, or b does not")
	}
	m.Drop("b")
	if _, open := m.Next(); open {
		t.Fatal("a dropped event is still open")
	}
}
