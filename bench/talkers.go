package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// talkersResult is what containers cost that write steadily, none of them much.
type talkersResult struct {
	Containers int     `json:"containers"`
	Rate       int     `json:"rate"`   // lines a second of each
	Length     int     `json:"length"` // of a line, bytes; 0: an access log's
	Shipped    bool    `json:"shipped"`
	RSS        int64   `json:"rss"` // bytes, at the end
	CPU        float64 `json:"cpu"` // percent of one core
}

// talkers are what is measured. Those of the last row are packed and uploaded
// as they go: segments are so small that each container fills one while it is measured.
var talkers = []talkersResult{
	{Containers: 50, Rate: 100},
	{Containers: 50, Rate: 100, Length: 1024},
	{Containers: 100, Rate: 100, Length: 216, Shipped: true},
}

// what says which row it is.
func (t *talkersResult) what() string {
	line := "of an access log"
	if t.Length > 0 {
		line = fmt.Sprintf("of %d B", t.Length)
	}
	shipped := ""
	if t.Shipped {
		shipped = ", packed and uploaded"
	}
	return fmt.Sprintf("%d containers × %d lines/s %s%s", t.Containers, t.Rate, line, shipped)
}

// measureTalkers measures containers that write steadily, as measureStreams does.
func (b *bench) measureTalkers(ctx context.Context) error {
	span := pick(b.quick, 6*time.Second, 20*time.Second)
	for _, t := range talkers {
		if err := b.again(ctx, nil); err != nil {
			return err
		}
		if err := talk(ctx, b.logfast, &t, span); err != nil {
			return fmt.Errorf("%d containers: %w", t.Containers, err)
		}
		b.results.Talkers = append(b.results.Talkers, t)
		b.say("  %s: %.1f %% of a core, %.0f MiB", t.what(), t.CPU, mib(t.RSS))
	}
	return nil
}

// talk measures one row with a plugin.
func talk(ctx context.Context, p *plugin, t *talkersResult, span time.Duration) (err error) {
	h, err := newHost(p, t.Containers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	options := map[string]string{}
	if t.Shipped {
		options["max-size"] = "512KiB"
	}
	if err := h.start(ctx, options); err != nil {
		return err
	}
	write := func(ctx context.Context) error { return writeLines(ctx, h.pipes, t.Rate, t.Length) }
	if _, _, err = share(ctx, p, 2*time.Second, write); err != nil { // until the rhythm is found
		return err
	}
	if t.CPU, t.RSS, err = share(ctx, p, span, write); err != nil {
		return err
	}
	return h.stop(ctx)
}
