package crashtest

import (
	"errors"
	"slices"
	"testing"

	"github.com/logfast/logfast/internal/durable"
)

// run takes three steps and returns which were done, and the errors.
func run(p *Process) (done []string, errs []error) {
	for _, name := range []string{"a", "b", "c"} {
		errs = append(errs, p.Step(durable.Step{Op: "write", Name: name}, func() error {
			done = append(done, name)
			return nil
		}))
	}
	return done, errs
}

func TestProcess(t *testing.T) {
	for _, tt := range []struct {
		fault    Fault
		done     []string
		failures int
		dead     bool
		steps    int
	}{
		{None, []string{"a", "b", "c"}, 0, false, 3},
		{Fault{At: 1}, []string{"a", "c"}, 1, false, 3},
		{Fault{At: 1, Done: true}, []string{"a", "b", "c"}, 1, false, 3},
		{Fault{At: 1, Dies: true}, []string{"a"}, 2, true, 2},
		{Fault{At: 1, Done: true, Dies: true}, []string{"a", "b"}, 2, true, 2},
	} {
		after := 0
		p := &Process{Fault: tt.fault, After: func(string) { after++ }}
		done, errs := run(p)
		failures := 0
		for _, err := range errs {
			if errors.Is(err, ErrPower) {
				failures++
			}
		}
		if !slices.Equal(done, tt.done) || failures != tt.failures || p.Dead() != tt.dead {
			t.Errorf("%+v: done %v, %d failures, dead %v", tt.fault, done, failures, p.Dead())
		}
		if len(p.Steps()) != tt.steps || after != tt.steps || p.Failed() != (tt.fault != None) {
			t.Errorf("%+v: steps %v, %d of them seen, failed %v", tt.fault, p.Steps(), after, p.Failed())
		}
	}
}

func TestEach(t *testing.T) {
	var faults []Fault
	Each(t, []string{"x", "y"}, func(_ *testing.T, f Fault) { faults = append(faults, f) })
	if len(faults) != 8 || faults[7] != (Fault{At: 1, Done: true, Dies: true}) {
		t.Errorf("%v", faults)
	}
	var pairs [][2]int
	EachRecovery(t, []string{"x", "y"}, func(_ *testing.T, first, next Fault) bool {
		pairs = append(pairs, [2]int{first.At, next.At})
		return next.At < first.At+1
	})
	if !slices.Equal(pairs, [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}}) {
		t.Errorf("%v", pairs)
	}
}
