package plugintree

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const config = `{"description": "d", "env": [{"name": "A", "settable": ["value"]}, {"name": "B"}], "linux": {"devices": null},
"mounts": [{"name": "logs", "source": "/var/log", "settable": ["source"]}], "entrypoint": ["/p"]}`

// tree makes a directory with a program of 1 MB that was changed at a time.
func tree(t *testing.T, changed time.Time) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config.json": config, "rootfs/etc/x": "x", "rootfs/p": strings.Repeat("program\n", 1<<17)} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "rootfs/p"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) *Tree {
	t.Helper()
	tree, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return tree
}

type descriptor struct {
	MediaType, Digest string
	Size              int64
}

// TestTree_Pulled pulls as Docker does: the manifest by its tag, then what it
// names, each with the digest and the size that were promised.
func TestTree_Pulled(t *testing.T) {
	server := httptest.NewServer(open(t, tree(t, time.Now())))
	defer server.Close()
	get := func(path string) (*http.Response, []byte) {
		t.Helper()
		r, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, b
	}
	blob := func(kind string, d descriptor) []byte {
		t.Helper()
		r, b := get("/v2/logfast/" + kind + "/" + d.Digest)
		sum := sha256.Sum256(b)
		if r.StatusCode != http.StatusOK || "sha256:"+hex.EncodeToString(sum[:]) != d.Digest || int64(len(b)) != d.Size {
			t.Fatalf("%s %s: %s, %d bytes", kind, d.Digest, r.Status, len(b))
		}
		return b
	}
	if r, _ := get("/v2/"); r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	r, text := get("/v2/logfast/manifests/0.1.0")
	var m struct {
		MediaType string
		Config    descriptor
		Layers    []descriptor
	}
	if err := json.Unmarshal(text, &m); err != nil || len(m.Layers) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	if got := r.Header.Get("Content-Type"); got != m.MediaType || m.Config.MediaType != "application/vnd.docker.plugin.v1+json" {
		t.Errorf("%s: %s", got, text)
	}
	blob("manifests", descriptor{Digest: r.Header.Get("Docker-Content-Digest"), Size: int64(len(text))})
	var c struct {
		Entrypoint []string
		Rootfs     struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(blob("blobs", m.Config), &c); err != nil || len(c.Entrypoint) != 1 || len(c.Rootfs.DiffIDs) != 1 {
		t.Fatalf("%v: %+v", err, c)
	}
	unpacked, err := gzip.NewReader(strings.NewReader(string(blob("blobs", m.Layers[0]))))
	if err != nil {
		t.Fatal(err)
	}
	content := sha256.New()
	got := map[string]int64{}
	for files := tar.NewReader(io.TeeReader(unpacked, content)); ; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = h.Mode
	}
	if _, err := io.Copy(content, unpacked); err != nil {
		t.Fatal(err)
	}
	if sum := "sha256:" + hex.EncodeToString(content.Sum(nil)); c.Rootfs.DiffIDs[0] != sum {
		t.Errorf("the layer has %s, and config.json says %s", sum, c.Rootfs.DiffIDs[0])
	}
	if d := cmp.Diff(map[string]int64{"./": 0o755, "etc/": 0o755, "etc/x": 0o644, "p": 0o755}, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}

	for _, path := range []string{
		"/", "/v2/logfast/blobs/0.1.0", "/v2/logfast/blobs/sha256:00", "/v2/logfast/tags/list", "/v2/logfast/manifests/sha256:00",
	} {
		if r, _ := get(path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	if r, err := server.Client().Post(server.URL+"/v2/logfast/blobs/uploads/", "", nil); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a push: %v, %v", r, err)
	}
}

// TestTree_Reproducible: when the files were made does not matter; what is in them
// and what they may do does.
func TestTree_Reproducible(t *testing.T) {
	a, b := open(t, tree(t, time.Now())), open(t, tree(t, time.Unix(1e9, 0)))
	if a.manifest.digest != b.manifest.digest {
		t.Errorf("%s and %s", a.manifest.digest, b.manifest.digest)
	}
	dir := tree(t, time.Now())
	if err := os.Chmod(filepath.Join(dir, "rootfs/p"), 0o700); err != nil {
		t.Fatal(err)
	}
	if c := open(t, dir); c.manifest.digest == a.manifest.digest {
		t.Error("another mode is the same plugin")
	}
}

func TestTree_Refused(t *testing.T) {
	dir := tree(t, time.Now())
	if err := os.Symlink("p", filepath.Join(dir, "rootfs/link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "link is neither a file nor a directory") {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Settings(dir); err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Error(err)
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("an empty directory is a plugin")
	}
}

func TestSettings(t *testing.T) {
	got, err := Settings(tree(t, time.Now()))
	if d := cmp.Diff([]string{"A", "logs.source"}, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestSameConfig(t *testing.T) {
	const installed = `{"Args": {"Name": "", "Value": null}, "Description": "d", "DockerVersion": "20.10", "Entrypoint": ["/p"],
"Env": [{"Name": "A", "Description": "", "Settable": ["value"], "Value": null}, {"Name": "B", "Settable": null, "Value": ""}],
"Linux": {"AllowAllDevices": false, "Devices": null}, "Mounts": [{"Name": "logs", "Source": "/data", "Settable": ["source"]}],
"rootfs": {"type": "layers", "diff_ids": ["sha256:00"]}}`
	for text, want := range map[string]bool{
		installed: true,
		strings.Replace(installed, `"B"`, `"C"`, 1):   false,
		strings.Replace(installed, `"/p"`, `"/q"`, 1): false,
	} {
		if got, err := SameConfig(tree(t, time.Now()), []byte(text)); got != want || err != nil {
			t.Errorf("%t, %v:\n%s", got, err, text)
		}
	}
}
