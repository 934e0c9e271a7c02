package plugin

import (
	"context"

	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/s3"
)

// OpenArchive opens the store for reading; it makes and changes nothing. It asks
// nothing of the network.
func (c *Config) OpenArchive(ctx context.Context) (archive.Store, func() error, error) {
	if c.Dir == "" {
		store, err := s3.Open(ctx, c.S3)
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	}
	view, err := store.OpenDirView(c.Dir)
	if err != nil {
		return nil, nil, err
	}
	return view, view.Close, nil
}
