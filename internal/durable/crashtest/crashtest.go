// Package crashtest is for tests of what a crash leaves behind. A test runs its
// code as a [Process] whose steps are counted; one of them fails, and the process
// goes on or does nothing any more. Then the test starts the next process on what
// is left.
package crashtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/logfast/logfast/internal/durable"
)

// ErrPower is what a step returns that fails, and each step of a dead process.
var ErrPower = errors.New("power cut")

// Fault says which step fails and how.
type Fault struct {
	At   int  // index of the step; -1: none
	Done bool // the step is done, and reports a failure all the same
	Dies bool // the process does nothing after it
}

// None is no fault.
var None = Fault{At: -1}

// String names the fault for a subtest.
func (f Fault) String() string {
	outcome, then := "not done", "and the process goes on"
	if f.Done {
		outcome = "done but errored"
	}
	if f.Dies {
		then = "and the process dies"
	}
	return outcome + "/" + then
}

// Process counts the steps of one process. Its methods may be called from several
// goroutines.
type Process struct {
	Fault Fault

	// Name names a step; nil: its operation and file.
	Name func(durable.Step) string

	// After, if set, is called after each step but for those of a dead process. One
	// step is taken at a time.
	After func(what string)

	mu     sync.Mutex
	steps  []string // owned by mu
	failed bool     // owned by mu
}

// Step is what each step passes through: on the disk, with [durable.Intercept],
// and in a store or on the network.
func (p *Process) Step(s durable.Step, do func() error) error {
	name := s.Op + " " + s.Name
	if p.Name != nil {
		name = p.Name(s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed && p.Fault.Dies {
		return ErrPower
	}
	p.steps = append(p.steps, name)
	what, err := "after "+name, ErrPower
	if len(p.steps)-1 == p.Fault.At {
		p.failed = true
		what += ", " + p.Fault.String()
		if p.Fault.Done {
			_ = do() // it reports a failure whatever it returns
		}
	} else {
		err = do()
	}
	if p.After != nil {
		p.After(what)
	}
	return err
}

// Steps returns the names of the steps so far.
func (p *Process) Steps() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.steps...)
}

// Failed reports whether the step of the fault was reached.
func (p *Process) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// Dead reports whether the process does nothing any more.
func (p *Process) Dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed && p.Fault.Dies
}

// Each runs a subtest for each step of a clean run and each way in which it can
// fail: done or not, in a process that goes on and in one that dies.
func Each(t *testing.T, steps []string, test func(t *testing.T, f Fault)) {
	for at, name := range steps {
		for _, done := range []bool{false, true} {
			for _, dies := range []bool{false, true} {
				f := Fault{At: at, Done: done, Dies: dies}
				t.Run(fmt.Sprintf("%d %s/%s", at, name, f), func(t *testing.T) { test(t, f) })
			}
		}
	}
}

// EachRecovery runs a subtest for each step of a clean run after which the process
// dies, and within it recovery once for each step of the next process: with the
// first process's fault and the next one's. Recovery reports whether the next
// process reached its fault: then there may be another step.
func EachRecovery(t *testing.T, steps []string, recovery func(t *testing.T, first, next Fault) (more bool)) {
	for at, name := range steps {
		t.Run(fmt.Sprintf("%d %s", at, name), func(t *testing.T) {
			for second, more := 0, true; more; second++ {
				more = recovery(t, Fault{At: at, Dies: true}, Fault{At: second, Dies: true})
			}
		})
	}
}
