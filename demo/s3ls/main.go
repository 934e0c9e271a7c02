// Command s3ls shows what is in a bucket, for the demo: a fresh machine with
// Docker and Go has no other S3 client. Endpoint, region and credentials come
// from the AWS_ variables.
//
//	s3ls BUCKET ls [PREFIX]   time, bytes and key of each object, in key order
//	s3ls BUCKET cat KEY       an object's bytes; those of a .gz unpacked
package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/logfast/logfast/driver/object"
	"github.com/logfast/logfast/driver/object/s3"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "s3ls:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 2 {
		args = append(args, "")
	}
	if len(args) != 3 {
		return errors.New("usage: s3ls BUCKET ls [PREFIX] | s3ls BUCKET cat KEY")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	store, err := s3.Open(ctx, s3.Options{Bucket: args[0], PathStyle: true})
	if err != nil {
		return err
	}
	switch args[1] {
	case "ls":
		return list(ctx, store, args[2], out)
	case "cat":
		return cat(ctx, store, args[2], out)
	}
	return fmt.Errorf("unknown command %q: ls or cat", args[1])
}

func list(ctx context.Context, store object.Store, prefix string, out io.Writer) error {
	for e, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s %7d  %s\n", e.Modified.UTC().Format("15:04:05"), e.Size, e.Key); err != nil {
			return err
		}
	}
	return nil
}

func cat(ctx context.Context, store object.Store, key string, out io.Writer) error {
	body, _, err := store.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // nothing was written
	in := io.Reader(body)
	if path.Ext(key) == ".gz" {
		if in, err = gzip.NewReader(body); err != nil {
			return err
		}
	}
	_, err = io.Copy(out, in)
	return err
}
