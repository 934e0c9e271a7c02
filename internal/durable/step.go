package durable

import "sync/atomic"

// Step is one system call that changes what is on the disk, or makes a change
// durable.
type Step struct {
	Op   string // "create", "write", "fsync", "rename", "remove", "mkdir", "fsync directory"
	Name string // of the file or directory; of a rename, what it makes
}

// interceptor is nil outside tests.
var interceptor atomic.Pointer[func(s Step, do func() error) error]

// Intercept gives every step of this process to f, which does it by calling do
// or keeps it from being done, and whose error becomes the step's. It is how a
// test fails each step both ways. Calling stop ends it.
func Intercept(f func(s Step, do func() error) error) (stop func()) {
	interceptor.Store(&f)
	return func() { interceptor.Store(nil) }
}

// Do does one step. Whoever changes the disk by other means than the functions
// of this package names the step so, for the tests to see it.
func Do(op, name string, do func() error) error {
	if f := interceptor.Load(); f != nil {
		return (*f)(Step{op, name}, do)
	}
	return do()
}
