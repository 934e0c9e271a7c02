// Package store is where finished segments go: a store of immutable objects
// named by keys. [Dir] keeps them under a local directory; package s3 beneath
// this one keeps them in an S3 bucket and is the only package that knows AWS.
// Package objecttest is the suite that every store passes.
package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors that a [Store] wraps. Everything else that a store returns is
// transient: the same call may succeed later. When the caller's context is
// over, the error wraps the context's.
var (
	// ErrNotFound: no object has the key.
	ErrNotFound = errors.New("no such object")
	// ErrExists: another object, with other bytes, has the key already. It
	// stays untouched, and trying again cannot help. A [TakenError] says what
	// that object is, if the store knows.
	ErrExists = errors.New("a different object has this key already")
	// ErrBlocked: the store refuses, and goes on refusing until somebody
	// changes something: rights, credentials, the bucket's name. The store
	// need not be opened again after that.
	ErrBlocked = errors.New("the store refuses")
	// ErrArchived: the object is there, and has to be restored before it can be
	// read. Only Get returns it, and the error says how.
	ErrArchived = errors.New("the object is archived")
	// ErrInvalid: this key, these attributes or an object of this size can
	// never be stored; others can.
	ErrInvalid = errors.New("the object cannot be stored")
)

// TakenError is the [ErrExists] of a store that knows the attributes of the object
// that has the key. A store that keeps no metadata returns a plain ErrExists: from
// an object without metadata nobody could conclude who wrote it.
type TakenError struct {
	By Attributes // as Head returns them
}

func (e *TakenError) Error() string { return ErrExists.Error() }

// Unwrap makes the error an [ErrExists].
func (e *TakenError) Unwrap() error { return ErrExists }

// Attributes are what a store keeps beside an object's bytes.
type Attributes struct {
	Size        int64             // bytes in the object; from Get and Head, negative if the store does not say
	SHA256      [32]byte          // of the object's bytes; from Get, zero where the store was never told
	ContentType string            // a media type such as "application/gzip"
	Metadata    map[string]string // see [Attributes.Check]; an empty value may be dropped
}

// Entry is one object in a listing.
type Entry struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // when the store took the object
}

// Store keeps objects. Its methods may be called from several goroutines at
// once. No method retries: whoever calls knows what is urgent.
//
// Keys are UTF-8, 1 to 1024 bytes, segments separated by "/"; no segment is
// empty, "." or "..", and there are no control characters ([CheckKey]). A store
// may allow less (package s3 counts its prefix in), and says so.
type Store interface {
	// Put stores body, attrs.Size bytes read from its current position,
	// under key. When it returns nil the object is durable and visible to
	// List and Get, whole and with its attributes; until then nobody sees
	// a part of it. Put never overwrites: where the key already has an object
	// with the same SHA-256, Put returns nil (an earlier try arrived; the
	// object keeps the attributes it has), and where the bytes differ,
	// ErrExists, as a [TakenError] if the store can. So it may be repeated after any failure. The caller keeps
	// body open until Put has returned and never changes the bytes again,
	// before or after: the store may share them. Put leaves body at a
	// position of its own choice; who repeats it seeks first. Bytes that do
	// not have the size and SHA-256 of attrs are an error, and not stored
	// (a store that shares the bytes trusts the SHA-256).
	// ErrInvalid where the key or attrs break the rules.
	Put(ctx context.Context, key string, body io.ReadSeeker, attrs Attributes) error

	// Get opens the object with this key for one reading from its start.
	// The caller closes the reader. ErrNotFound if there is none, ErrArchived
	// if the store has moved it to where it cannot be read at once.
	Get(ctx context.Context, key string) (io.ReadCloser, Attributes, error)

	// List yields the objects whose keys begin with prefix and sort (by
	// bytes) after the key after, in key order; an empty after starts at
	// the first. A failure is yielded once, as the last pair.
	List(ctx context.Context, prefix, after string) iter.Seq2[Entry, error]
}

// ClockSkew reports whether a store refused because its clock and this machine's
// differ. A store may know how to sign by its own clock from then on.
func ClockSkew(err error) bool {
	var refusal interface{ ClockSkew() bool }
	return errors.As(err, &refusal) && refusal.ClockSkew()
}

// Deleter is a [Store] that can delete. logfast deletes nothing but what a check
// has put.
type Deleter interface {
	// Delete removes the object with this key; one that is not there is no
	// error. It may be repeated after any failure.
	Delete(ctx context.Context, key string) error
}
