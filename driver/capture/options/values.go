package options

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/fasttrack"
)

// Scope is which containers an error seals: its own, its group's, the host's.
type Scope string

// The scopes.
const (
	ScopeContainer Scope = "container"
	ScopeGroup     Scope = "group"
	ScopeHost      Scope = "host"
)

// ParseScope reads a Scope.
func ParseScope(s string) (Scope, error) {
	switch scope := Scope(s); scope {
	case ScopeContainer, ScopeGroup, ScopeHost:
		return scope, nil
	}
	return "", fmt.Errorf("scope %q: allowed are container, group, host", s)
}

// Fsync is when lines are brought to the disk itself, from where a power cut
// does not take them.
type Fsync string

// The values of Fsync.
const (
	FsyncInterval Fsync = "interval" // within a second; errors at once
	FsyncAlways   Fsync = "always"   // before they leave the FIFO
	FsyncNever    Fsync = "never"    // when the kernel does, and at the seal
)

// ParseFsync reads a Fsync.
func ParseFsync(s string) (Fsync, error) {
	switch f := Fsync(s); f {
	case FsyncInterval, FsyncAlways, FsyncNever:
		return f, nil
	}
	return "", fmt.Errorf("fsync %q: allowed are interval, always, never", s)
}

// OnFull is what gives way when the spool has no room for new lines.
type OnFull string

// The values of OnFull.
const (
	OnFullDrop  OnFull = "drop"  // the oldest segments that are not uploaded yet
	OnFullBlock OnFull = "block" // the containers: their lines wait in the FIFOs
)

// ParseOnFull reads an OnFull.
func ParseOnFull(s string) (OnFull, error) {
	switch o := OnFull(s); o {
	case OnFullDrop, OnFullBlock:
		return o, nil
	}
	return "", fmt.Errorf("on-full %q: allowed are drop, block", s)
}

// ScopeName returns the name that an error of this stream has in the fast track.
func (o *Options) ScopeName(s *spool.Stream) string {
	switch o.Scope {
	case ScopeHost:
		return string(ScopeHost)
	case ScopeGroup:
		return string(ScopeGroup) + ":" + s.Group
	default:
		return string(ScopeContainer) + ":" + s.ID
	}
}

// ScopesOf returns the names of the scopes whose seal takes this stream, whatever
// the stream's own option says; the widest is the first.
func ScopesOf(s *spool.Stream) [3]string {
	return [...]string{string(ScopeHost), string(ScopeGroup) + ":" + s.Group, string(ScopeContainer) + ":" + s.ID}
}

// Bounds of MaxSize, in bytes. S3 takes 5 GB in one put, and text that cannot
// be compressed grows a little when it is packed.
const (
	MinMaxSize = 64 << 10
	MaxMaxSize = 4_900_000_000
)

// Bounds of the fast track's times.
const (
	MinQuiet = 100 * time.Millisecond
	MaxTrack = 24 * time.Hour
)

// ValidatePolicy says what is wrong with the fast track's times, if anything is.
func ValidatePolicy(p fasttrack.Policy) error {
	switch {
	case p.Quiet < MinQuiet || p.Quiet > MaxTrack:
		return fmt.Errorf("quiet period %v: allowed are %v to %v", p.Quiet, MinQuiet, MaxTrack)
	case p.MaxDelay < p.Quiet || p.MaxDelay > MaxTrack:
		return fmt.Errorf("maximum delay %v: allowed are %v, the quiet period, to %v", p.MaxDelay, p.Quiet, MaxTrack)
	}
	return nil
}

// ValidateMaxSize says what is wrong with a size limit, if anything is.
func ValidateMaxSize(n int64) error {
	if n < MinMaxSize || n > MaxMaxSize {
		return fmt.Errorf("it is %d bytes; allowed are 64KiB to 4.9GB, such as 100MB", n)
	}
	return nil
}

// ParseSize reads a size as Docker's own max-size option takes it: "100MB" and
// "100m" are decimal, "64KiB" is binary.
func ParseSize(s string) (int64, error) {
	parse := units.FromHumanSize
	if strings.Contains(strings.ToLower(s), "i") {
		parse = units.RAMInBytes
	}
	n, err := parse(s)
	if err != nil {
		return 0, fmt.Errorf("size %q: write a number with a unit, such as 100MB or 64MiB", s)
	}
	return n, nil
}

// ParseBool reads true or false.
func ParseBool(s string) (bool, error) {
	switch s {
	case "true", "false":
		return s == "true", nil
	}
	return false, fmt.Errorf("%q: allowed are true, false", s)
}

// checkBool says what is wrong with a value that json-file reads as true or false.
func checkBool(s string) error {
	if _, err := strconv.ParseBool(s); err != nil {
		return fmt.Errorf("%q: allowed are true, false", s)
	}
	return nil
}

// ParseCount reads a number of files; more than a million is as many as that.
func ParseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q: write a number of files, such as 3", s)
	}
	return min(n, 1_000_000), nil
}

// ParseDuration reads a time such as "30s" or "5m".
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("duration %q: write a number with a unit, such as 30s or 5m", s)
	}
	return d, nil
}

// ParseLabels reads a list of labels' names, joined by commas.
func ParseLabels(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	names := strings.Split(s, ",")
	if len(names) > maxLabels || len(s) > maxOption {
		return nil, fmt.Errorf("%d labels in %d bytes; allowed are %d in %d bytes", len(names), len(s), maxLabels,
			maxOption)
	}
	for i, name := range names {
		if names[i] = strings.TrimSpace(name); names[i] == "" || strings.ContainsAny(names[i], "= \t") {
			return nil, fmt.Errorf("label %q: write the names of labels, joined by commas, such as "+
				"com.example.team,version", name)
		}
	}
	return names, nil
}
