//go:build race

package detect

// raceDetector: the race detector makes sync.Pool drop things at random.
const raceDetector = true
