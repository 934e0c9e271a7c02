package s3

import (
	"slices"
	"sync"

	"github.com/logfast/logfast/internal/keylock"
)

// manner is how a put is made: what is left out of it for a server that does not
// take it.
type manner struct {
	md5       bool // Content-MD5 instead of x-amz-checksum-sha256
	lookFirst bool // a HEAD before the put instead of If-None-Match
}

// What [Store.Learned] says.
const (
	noteChecksum = "the store refuses x-amz-checksum-sha256: logfast sends Content-MD5 instead"
	noteRefuses  = "the store refuses If-None-Match (conditional writes): " + onlyLooked
	noteIgnores  = "the store ignores If-None-Match (conditional writes) and overwrites: " + onlyLooked

	onlyLooked = "logfast looks with a HEAD whether a key is taken before it puts. " +
		"An object is not overwritten by a later upload, but two hosts that upload to one key in the same moment " +
		"can overwrite each other: give each host a name of its own (LOGFAST_HOST)"
)

// learned is what a store has found out about its server.
type learned struct {
	mu        sync.Mutex // guards all below; held for no I/O
	manner    manner
	notes     []string // in the order in which they were found
	condition bool     // whether it is known what the server makes of If-None-Match
	probes    int      // of the condition, without a result
	versioned bool     // the bucket keeps versions
	bare      bool     // a HEAD has shown an object of ours without its metadata

	keys keylock.Locks
}

func (l *learned) current() manner {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.manner
}

// adopt makes a manner the store's, after a put in it was taken.
func (l *learned) adopt(m manner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteLocked(m.md5 && !l.manner.md5, noteChecksum)
	l.noteLocked(m.lookFirst && !l.manner.lookFirst, noteRefuses)
	l.manner = manner{l.manner.md5 || m.md5, l.manner.lookFirst || m.lookFirst}
	l.condition = l.condition || m.lookFirst
}

func (l *learned) noteLocked(is bool, note string) {
	if is && !slices.Contains(l.notes, note) {
		l.notes = append(l.notes, note)
	}
}

// honours notes that the server honours If-None-Match; ignores, that it does not.
func (l *learned) honours() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.condition = true
}

// excludes reports whether the server is known to refuse the second of two puts of
// a key.
func (l *learned) excludes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.condition && !l.manner.lookFirst
}

func (l *learned) ignores() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteLocked(!l.manner.lookFirst, noteIgnores)
	l.condition, l.manner.lookFirst = true, true
}

// maxProbes is how many puts may be repeated to see what the server makes of
// If-None-Match, if there is no result.
const maxProbes = 3

// probe reports whether the condition is to be tried with this put.
func (l *learned) probe() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.condition || l.probes == maxProbes {
		return false
	}
	l.probes++
	return true
}

// sawBare notes that the server does not keep metadata.
func (l *learned) sawBare() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bare = true
}

// unmarked reports whether our own objects have no metadata in this store.
func (l *learned) unmarked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bare
}

func (l *learned) sawVersion(id *string) {
	if id == nil || *id == "" || *id == "null" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.versioned = true
}

// Learned returns what the store has found that its server cannot do, and what it
// does instead, as [store.Learner] says. It is known for the life of the store.
func (s *Store) Learned() []string {
	s.learned.mu.Lock()
	defer s.learned.mu.Unlock()
	return slices.Clone(s.learned.notes)
}

// Versioned reports whether an answer has shown so far that the bucket keeps
// versions: what was deleted or put again stays there as an older version.
func (s *Store) Versioned() bool {
	s.learned.mu.Lock()
	defer s.learned.mu.Unlock()
	return s.learned.versioned
}
