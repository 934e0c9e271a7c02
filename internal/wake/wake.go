// Package wake tells a goroutine that there is something new to look at.
package wake

// Up wakes the goroutine that receives from c, which has a buffer of one. It never
// waits: a wake-up that is pending serves for this one too. It may be called from
// several goroutines.
func Up(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
