package store

// FailAfter makes Put call step after each of its steps with the step's name,
// and fail with what it returns.
func (d *Dir) FailAfter(step func(done string) error) { d.step = step }

var Refusal = refusal
