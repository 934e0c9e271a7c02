package wake

import "testing"

func TestUp(t *testing.T) {
	c := make(chan struct{}, 1)
	Up(c)
	Up(c) // does not wait
	<-c
	select {
	case <-c:
		t.Error("two wake-ups are pending")
	default:
	}
	Up(c)
	<-c
}
