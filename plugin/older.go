package plugin

import (
	"context"
	"time"

	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/driver/read/logs"
	"github.com/logfast/logfast/driver/spool"
)

// older returns what fetches a container's older lines from the store, nil
// where its options do not say read-archive=true.
func (a *able) older(ctx context.Context, req request) func(before time.Time) ([]logs.Archived, error) {
	of, opts, err := a.capture.Describe(req.Info)
	if err != nil || !opts.ReadArchive {
		return nil // what was wrong when it was started is wrong now
	}
	return func(before time.Time) ([]logs.Archived, error) {
		return fetch(ctx, a.archive, &of, archive.Query{
			Containers: []string{of.ID}, Hosts: []string{of.Host},
			Since: later(req.Info.ContainerCreated, req.Config.Since), Until: before,
		})
	}
}

// fetch lists the segments in the store that begin before q.Until. Their texts
// are fetched when they are opened.
func fetch(ctx context.Context, from *archive.Archive, of *spool.Stream, q archive.Query) ([]logs.Archived, error) {
	list, err := from.Segments(ctx, q)
	if err != nil {
		return nil, err
	}
	defer list.Close()
	if err := list.Describe(ctx); err != nil {
		return nil, err
	}
	var all []logs.Archived
	for _, s := range list.Segments {
		if !s.First.Before(q.Until) {
			continue
		}
		m := spool.Meta{
			Key: s.Key, Stream: s.Stream, Reason: s.Reason, Seq: s.Seq, First: s.First, Last: s.Last, Lines: s.Lines,
			Bytes: s.Bytes, Errors: s.Errors,
		}
		m.Stream.ID = of.ID
		all = append(all, logs.Archived{
			Key: s.Key, Meta: m, Certain: s.Lines >= 0 && !s.Last.IsZero(),
			Open: func() (*spool.Text, error) { return from.Text(ctx, s) },
		})
	}
	return all, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
