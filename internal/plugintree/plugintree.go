// Package plugintree serves the tree of a managed plugin, the directory that
// docker plugin create takes, as a registry. Docker upgrades a plugin from a
// registry only, and accepts one without TLS on 127.0.0.0/8.
//
// The protocol is the pull part of the OCI distribution specification
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md); the
// media types are those that docker plugin push writes.
package plugintree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/logfast/logfast/internal/limit"
)

// Media types of a plugin in a registry.
const (
	typeManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeConfig   = "application/vnd.docker.plugin.v1+json"
	typeLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// maxConfig bounds config.json, in bytes.
const maxConfig = 4 << 20

// blob is what a registry has under a digest.
type blob struct {
	content io.ReaderAt
	size    int64
	digest  string // sha256:…
	kind    string // media type
}

// Tree is a plugin that is ready to be pulled. Its methods may be called
// concurrently until Close.
type Tree struct {
	layer    *os.File // unlinked
	manifest blob
	blobs    map[string]blob // the manifest, config.json and the layer, by digest
}

// Open packs the files of the directory dir, config.json and rootfs, into a
// temporary file. The same names, contents and modes give the same digests;
// owners and times do not count.
func Open(dir string) (_ *Tree, err error) {
	config, err := limit.ReadFile(filepath.Join(dir, "config.json"), maxConfig)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "logfast-layer")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	packed := newDigester(f)
	content, err := pack(packed, filepath.Join(dir, "rootfs"))
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", filepath.Join(dir, "rootfs"), err)
	}
	if config, err = withLayers(config, content); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "config.json"), err)
	}
	t := &Tree{layer: f, blobs: map[string]blob{}}
	configBlob := ofBytes(config, typeConfig)
	layerBlob := blob{f, packed.size, packed.String(), typeLayer}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest,
		"config": configBlob.descriptor(), "layers": []any{layerBlob.descriptor()},
	})
	if err != nil {
		return nil, err
	}
	t.manifest = ofBytes(manifest, typeManifest)
	for _, b := range []blob{configBlob, layerBlob, t.manifest} {
		t.blobs[b.digest] = b
	}
	return t, nil
}

// Close frees the temporary file.
func (t *Tree) Close() error { return t.layer.Close() }

// ServeHTTP answers the pull of any repository and tag with the plugin.
func (t *Tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "this registry is read-only", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/v2/" || r.URL.Path == "/v2" {
		return // 200: the API is version 2, and wants no authentication
	}
	path, wanted := filepath.Split(r.URL.Path)
	b, found := t.blobs[wanted]
	switch {
	case strings.HasSuffix(path, "/manifests/") && !strings.Contains(wanted, ":"):
		b = t.manifest
	case !found || !strings.HasSuffix(path, "/manifests/") && !strings.HasSuffix(path, "/blobs/"):
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", b.kind)
	w.Header().Set("Docker-Content-Digest", b.digest)
	w.Header().Set("Content-Length", strconv.FormatInt(b.size, 10))
	if r.Method == http.MethodGet {
		_, _ = io.Copy(w, io.NewSectionReader(b.content, 0, b.size)) // a client that went away asks again
	}
}

// Serve answers pulls on a port of 127.0.0.1 until use, which it calls with the
// port's address, has returned. It returns what use returned.
func (t *Tree) Serve(use func(address string) error) (err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open a port for Docker to pull the plugin from: %w", err)
	}
	// Docker tries TLS first: the server need not log that.
	server := &http.Server{Handler: t, ReadHeaderTimeout: 30 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	err = errors.Join(use(l.Addr().String()), server.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// withLayers adds to a config.json what Docker adds when it makes a plugin of it.
func withLayers(config []byte, layer string) ([]byte, error) {
	var members map[string]any
	if err := json.Unmarshal(config, &members); err != nil {
		return nil, err
	}
	maps.DeleteFunc(members, func(name string, _ any) bool { return strings.EqualFold(name, "rootfs") })
	members["rootfs"] = map[string]any{"type": "layers", "diff_ids": []string{layer}}
	return json.Marshal(members)
}

func ofBytes(b []byte, kind string) blob {
	d := newDigester(io.Discard)
	_, _ = d.Write(b) // neither fails
	return blob{bytes.NewReader(b), d.size, d.String(), kind}
}

func (b *blob) descriptor() map[string]any {
	return map[string]any{"mediaType": b.kind, "size": b.size, "digest": b.digest}
}

// digester passes on what is written to it.
type digester struct {
	to   io.Writer
	sum  hash.Hash
	size int64
}

func newDigester(to io.Writer) *digester { return &digester{to: to, sum: sha256.New()} }

func (d *digester) Write(p []byte) (int, error) {
	n, err := d.to.Write(p)
	_, _ = d.sum.Write(p[:n]) // a hash takes everything
	d.size += int64(n)
	return n, err
}

func (d *digester) String() string { return "sha256:" + hex.EncodeToString(d.sum.Sum(nil)) }
