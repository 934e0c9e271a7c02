// Package control lets an operator talk to the running plugin: HTTP and
// JSON over a socket in the spool, which root alone can reach. The spool has the
// same files inside the plugin and on the host, sockets too. [Serve] is the
// plugin's side, [Client] the command line's.
package control

import (
	"time"

	"github.com/logfast/logfast/internal/sum"
)

// Where the socket is, below the spool.
const (
	Dir    = ".control"
	Socket = "logfast.sock"
)

// Health is whether logfast does its work, in one word.
type Health string

// The values of Health.
const (
	Healthy   Health = "ok"
	Degraded  Health = "degraded"  // nothing is lost yet, and somebody has to look
	Unhealthy Health = "unhealthy" // there is work, and it is not done
)

// Status is how the plugin is at one moment. Counts are of this process's life.
type Status struct {
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Now      time.Time `json:"now"` // by the plugin's clock
	Host     string    `json:"host"`
	Store    string    `json:"store"`             // s3://bucket/prefix/ or file:///directory
	Learned  []string  `json:"learned,omitempty"` // what the store cannot do, and what logfast does instead
	LogLevel string    `json:"log_level"`

	Health  Health   `json:"health"`
	Reasons []string `json:"reasons,omitempty"` // why it is not ok

	// Lost is what was lost within the last hour, or since somebody asked for the
	// status.
	Lost []RecentLoss `json:"lost,omitempty"`

	Streams    []Stream `json:"streams"`
	Captured   Counts   `json:"captured"`   // of all streams, those that have ended too
	Reattached int64    `json:"reattached"` // streams of an earlier process that were taken up
	Events     []Event  `json:"events"`     // of the fast track, open ones

	Seals   map[string]int64 `json:"seals"` // by reason
	Pending Pending          `json:"pending"`
	Uploads Uploads          `json:"uploads"`
	Targets []Target         `json:"targets,omitempty"` // who is told of incidents
	Disk    Disk             `json:"disk"`

	WrongSettings []Setting `json:"wrong_settings,omitempty"`
}

// Setting is one that is wrong.
type Setting struct {
	Variables []string `json:"variables"`
	Problem   string   `json:"problem"` // name, value, what is allowed; no secret
	Effect    string   `json:"effect"`
	InUse     string   `json:"in_use"` // what is in its place
}

// The effects of a wrong setting.
const (
	Replaced      = "replaced"        // another value is in use
	BlocksStore   = "blocks_store"    // nothing is uploaded
	TargetLeftOut = "target_left_out" // one target is not notified of incidents
)

// Target is somebody who is told of incidents. The counts are of this process.
type Target struct {
	Name      string    `json:"name"` // without its secrets
	Kind      string    `json:"kind"` // webhook, smtp, or the chat's service
	Waiting   int       `json:"waiting"`
	Oldest    time.Time `json:"oldest,omitzero"` // when the oldest of them was added
	Messages  int64     `json:"messages"`        // that were taken
	Failed    int64     `json:"failed"`          // attempts
	GivenUp   int64     `json:"given_up"`        // events
	LastTold  time.Time `json:"last_told,omitzero"`
	LastError string    `json:"last_error,omitempty"` // of the last attempt, where that failed

	Waits   []Wait `json:"waits,omitempty"`   // why events wait, one entry a reason
	Failing int    `json:"failing,omitempty"` // attempts that failed in a row, of the target or of one event
	Refusal string `json:"refusal,omitempty"` // why the last of those failed
}

// Wait counts the events that a target waits with for one reason.
type Wait struct {
	Why    string    `json:"why"` // next, rate, folded, refused or failed
	Events int       `json:"events"`
	Until  time.Time `json:"until,omitzero"` // when the plugin sends the first of them; zero: as soon as it can
	Error  string    `json:"error,omitempty"`
}

// Counts is what was captured.
type Counts struct {
	Lines   int64  `json:"lines"`
	Bytes   int64  `json:"bytes"` // of records, as they are on disk
	Errors  int64  `json:"errors"`
	Resyncs int64  `json:"resyncs"` // how often bytes that are no frame were passed over
	Lost    []Loss `json:"lost"`    // each reason has one
}

// Loss is what was lost for one reason.
type Loss struct {
	Reason string `json:"reason"`
	Lines  int64  `json:"lines"`
	Bytes  int64  `json:"bytes"`
}

// RecentLoss is what one container has lost lately for one reason.
type RecentLoss struct {
	Container string    `json:"container"` // its directory below the spool
	Reason    string    `json:"reason"`
	Lines     int64     `json:"lines"`
	Bytes     int64     `json:"bytes"`
	First     time.Time `json:"first"` // when it was discarded
	Last      time.Time `json:"last"`
}

// LostLines and LostBytes are the sums over all reasons.
func (c *Counts) LostLines() (n int64) {
	for _, l := range c.Lost {
		n = sum.Add(n, l.Lines)
	}
	return n
}

// LostBytes is the sum over all reasons.
func (c *Counts) LostBytes() (n int64) {
	for _, l := range c.Lost {
		n = sum.Add(n, l.Bytes)
	}
	return n
}

// Stream is a container that is being read.
type Stream struct {
	Container string    `json:"container"`
	ID        string    `json:"id"`
	App       string    `json:"app"`
	Since     time.Time `json:"since"`  // when this process took it up
	Active    int64     `json:"active"` // bytes of its active segment
	Counts
	// its registration was lost: it is not known which container this is
	Unknown      bool      `json:"unknown,omitempty"`
	Trouble      string    `json:"trouble,omitempty"` // what keeps it from writing
	TroubleSince time.Time `json:"trouble_since,omitzero"`
	Unregistered bool      `json:"unregistered,omitempty"` // the disk had no room to register it
	// which of its options are not used as they were given, and what to set instead
	Notices []string `json:"notices,omitempty"`
}

// Event is an open event of the fast track.
type Event struct {
	Scope string    `json:"scope"`
	First time.Time `json:"first"` // of its errors
	Last  time.Time `json:"last"`
	Due   time.Time `json:"due"` // when it is sealed, unless another error comes
}

// Pending is what is sealed and not in the store, or not known to be.
type Pending struct {
	Segments int       `json:"segments"`
	Bytes    int64     `json:"bytes"`
	Oldest   time.Time `json:"oldest,omitzero"` // time of the oldest one's first line
}

// Uploads is what ship has done.
type Uploads struct {
	Attempts   map[string]int64 `json:"attempts"` // by result: ok, failed, blocked, local
	Bytes      int64            `json:"bytes"`
	Last       time.Time        `json:"last,omitzero"`
	Stalled    float64          `json:"stalled_seconds"` // how long something is pending and nothing was uploaded
	Blocked    string           `json:"blocked,omitempty"`
	LastError  string           `json:"last_error,omitempty"` // since the last upload
	SpoolError string           `json:"spool_error,omitempty"`
}

// Disk is what the containers' files take.
type Disk struct {
	Used   int64 `json:"used"`
	Budget int64 `json:"budget"` // 0: no bound
	Free   int64 `json:"free"`   // on the file system, for logfast
	Size   int64 `json:"size"`   // of the file system

	InodesFree int64 `json:"inodes_free"` // on the file system
	Inodes     int64 `json:"inodes"`      // of the file system; 0: it has no fixed number

	// Trouble is what is wrong with the spool's directory itself: it was removed,
	// moved, or something was mounted over it.
	Trouble string `json:"trouble,omitempty"`
}

// Flush is one step of a flush, as the plugin tells it. One of its fields is set.
type Flush struct {
	Sealed  []Segment `json:"sealed,omitempty"`  // what is to be shipped now, all that there is
	Shipped *Segment  `json:"shipped,omitempty"` // one of them is in the store
	Gone    *Segment  `json:"gone,omitempty"`    // somebody removed one
	Waiting string    `json:"waiting,omitempty"` // why the rest is not in the store yet
	Error   string    `json:"error,omitempty"`   // the flush has failed
	Done    bool      `json:"done,omitempty"`    // all of them are in the store
}

// Segment is a segment of a flush.
type Segment struct {
	Container string `json:"container"`
	Path      string `json:"path"` // below the spool
	Key       string `json:"key"`  // of the object, below the store's prefix
	Object    string `json:"object"`
	Bytes     int64  `json:"bytes"` // of the text; of the object once it is shipped
}

// Tested is what came of a test message to one target.
type Tested struct {
	Target string `json:"target"` // its name, without secrets
	Kind   string `json:"kind,omitempty"`
	Answer string `json:"answer,omitempty"` // what the target answered; no secret
	Error  string `json:"error,omitempty"`  // why the target did not take the message
}

// Refused counts the targets that did not take their test message.
func Refused(all []Tested) (n int) {
	for _, t := range all {
		if t.Error != "" {
			n++
		}
	}
	return n
}

// Finding is one thing that a check has looked at.
type Finding struct {
	Check  string `json:"check"` // what was looked at
	Result Result `json:"result"`
	Detail string `json:"detail"`           // what was found
	Remedy string `json:"remedy,omitempty"` // what to do about it
}

// Result is how a check ended.
type Result string

// The results.
const (
	OK   Result = "ok"
	Warn Result = "warn" // it works, and somebody should know
	Fail Result = "fail"
)

// Failed reports whether one of the findings is a failure.
func Failed(all []Finding) bool {
	for _, f := range all {
		if f.Result == Fail {
			return true
		}
	}
	return false
}
