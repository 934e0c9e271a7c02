package s3

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
	"github.com/logfast/logfast/driver/store/s3/s3test"
)

func TestOpenRefusesBadOptions(t *testing.T) {
	s3test.ClearEnv(t)
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no bucket":             {func(o *Options) { o.Bucket = "" }, "no bucket"},
		"no region":             {func(o *Options) { o.Region, o.Endpoint = "", "" }, "no region"},
		"prefix without slash":  {func(o *Options) { o.Prefix = "logs" }, `"logs" does not end in a slash`},
		"prefix with a slash":   {func(o *Options) { o.Prefix = "/logs/" }, "between slashes"},
		"prefix that climbs":    {func(o *Options) { o.Prefix = "../" }, "between slashes"},
		"endpoint without host": {func(o *Options) { o.Endpoint = "minio:9000" }, "not a plain URL"},
		"endpoint with secrets": {func(o *Options) { o.Endpoint = "https://key:hunter2@minio" }, "not a plain URL"},
		"unknown encryption":    {func(o *Options) { o.SSE = "rot13" }, `"rot13"`},
		"KMS key without KMS":   {func(o *Options) { o.SSE, o.SSEKMSKeyID = "AES256", "key" }, "a KMS key needs"},
		"no CA file":            {func(o *Options) { o.CAFile = "/nonexistent/ca.pem" }, "/nonexistent/ca.pem"},
		"CA file without PEM":   {func(o *Options) { o.CAFile = notPEM }, "no certificate in PEM"},
	} {
		opts := Options{Bucket: "bucket", Region: "us-east-1", Endpoint: "https://s3.example"}
		test.change(&opts)
		_, err := Open(t.Context(), opts)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want an error with %q", what, err, test.want)
		}
	}
}

// Credentials that are wanting show at the first Put, and not before: whatever
// files are there, and whatever network.
func TestOpenNeedsNoCredentials(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, file := range map[string]string{"missing": filepath.Join(dir, "missing"), "empty": empty} {
		t.Run(what, func(t *testing.T) {
			s3test.ClearEnv(t)
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
			t.Setenv("AWS_CONFIG_FILE", file)
			server := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("a request without credentials") })
			s := openAt(t, server, Options{Region: "eu-central-1"})
			err := putData(t, s)
			if !errors.Is(err, store.ErrBlocked) || !strings.Contains(err.Error(), "no usable credentials") {
				t.Errorf("put: %v, want ErrBlocked for want of credentials", err)
			}
		})
	}
}

// The instance's metadata service is asked at the first Put, and not before,
// though its answers would decide on more than credentials.
func TestMetadataService(t *testing.T) {
	s3test.ClearEnv(t)
	var asked atomic.Int32
	metadata := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	})
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.URL)
	t.Setenv("AWS_DEFAULTS_MODE", "auto")
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("a request without credentials") }), Options{})
	if n := asked.Load(); n > 0 {
		t.Errorf("Open asked the metadata service %d times", n)
	}
	expectBlocked(t, "put", putData(t, s))
	if asked.Load() == 0 {
		t.Error("Put did not ask the metadata service")
	}
}

// An operator puts keys into the file, or better keys, while the store is open.
func TestCredentialsAreLookedForAgain(t *testing.T) {
	s3test.ClearEnv(t)
	file := os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
	write := func(key string) {
		text := "[default]\naws_access_key_id = " + key + "\naws_secret_access_key = secret-of-" + key + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=GOOD/") {
			refuse(w, http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
			return
		}
		take(w, r)
	})
	s := openAt(t, server, Options{})
	expectBlocked(t, "no file", putData(t, s))
	write("BAD")
	expectBlocked(t, "bad key", putData(t, s))
	write("GOOD")
	if err := putData(t, s); err != nil {
		t.Errorf("good key: %v", err)
	}
}

func TestCAFile(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(take))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := writePEM(t, server.Certificate().Raw)
	other := otherCA(t)

	setKeys(t)
	if err := putData(t, openAt(t, server, Options{CAFile: ca})); err != nil {
		t.Errorf("with the CA file: %v", err)
	}
	err := putData(t, openAt(t, server, Options{}))
	if err == nil || !strings.Contains(err.Error(), "certificate") || errors.Is(err, store.ErrBlocked) {
		t.Errorf("without the CA file: %v, want an error about the certificate", err)
	}
	t.Setenv("AWS_CA_BUNDLE", ca)
	if err := putData(t, openAt(t, server, Options{})); err != nil {
		t.Errorf("with AWS_CA_BUNDLE: %v", err)
	}
	t.Setenv("AWS_CA_BUNDLE", other)
	if err := putData(t, openAt(t, server, Options{CAFile: ca})); err != nil {
		t.Errorf("with the CA file over AWS_CA_BUNDLE: %v", err)
	}
	if err := putData(t, openAt(t, server, Options{CAFile: other})); err == nil {
		t.Error("another authority's CA file is enough")
	}
}

// setKeys makes the default chain find the keys that a test's server expects.
func setKeys(t *testing.T) {
	t.Helper()
	s3test.ClearEnv(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
}

// quiet is for a server whose clients break off on purpose.
var quiet = log.New(io.Discard, "", 0)

func serve(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server
}

// take answers a put as S3 does: with the checksum of what it has got. To a HEAD it
// tells nothing.
func take(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	io.Copy(h, r.Body)
	if r.Method == http.MethodPut {
		w.Header().Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amz-Request-Id", "REQUEST1")
	w.WriteHeader(status)
	w.Write([]byte("<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>" + message + "</Message>" +
		"<AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId><StringToSign>hunter2</StringToSign></Error>"))
}

func open(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openAt(t *testing.T, server *httptest.Server, opts Options) *Store {
	t.Helper()
	opts.Bucket, opts.Endpoint, opts.PathStyle = "bucket", server.URL, true
	return open(t, opts)
}

func putData(t *testing.T, s *Store) error {
	t.Helper()
	return s.Put(t.Context(), "key", strings.NewReader("data"), objecttest.Describe([]byte("data")))
}

func expectBlocked(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrBlocked) {
		t.Errorf("%s: %v, want ErrBlocked", what, err)
	}
}

// otherCA is a file with the certificate of an authority that vouches for no
// server here.
func otherCA(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, certificate)
}

func writePEM(t *testing.T, certificate []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
