// Package s3test runs a real S3 server, versitygw, for tests. "make tools" puts
// its program where this package looks for it: .tools/bin/versitygw in the
// directory of go.mod.
package s3test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// Server is a running versitygw, with one account that may do everything. It
// wants path-style addresses.
type Server struct {
	Endpoint  string // such as "http://127.0.0.1:34567"
	Region    string
	AccessKey string
	SecretKey string
	CAFile    string // PEM of the server's own authority; empty for http
	Dir       string // where the server keeps an object: Dir/bucket/key

	owner   testing.TB // the test that started it
	program string
	address string
	flags   []string
	rclone  bool            // instead of versitygw
	process *os.Process     // the one that runs, or ran last
	exited  <-chan struct{} // closed when process has ended
}

// patience is how long a server may take to listen, or to stop.
const patience = 30 * time.Second

// Start starts a server with empty storage on a free port of 127.0.0.1, and
// stops it when the test ends. The test fails where the program is missing.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, "http", &Server{})
}

// StartTLS is Start for https, with a certificate that only CAFile vouches for.
func StartTLS(t testing.TB) *Server {
	t.Helper()
	certificate, key := selfSigned(t)
	return start(t, "https", &Server{CAFile: certificate}, "--cert", certificate, "--key", key)
}

// StartRclone is Start for "rclone serve s3", which ignores If-None-Match and
// overwrites. Its program is .tools/bin/rclone.
func StartRclone(t testing.TB) *Server {
	t.Helper()
	return start(t, "http", &Server{rclone: true})
}

func start(t testing.TB, scheme string, s *Server, flags ...string) *Server {
	t.Helper()
	name := "versitygw"
	if s.rclone {
		name = "rclone"
	}
	program := filepath.Join(moduleRoot(t), ".tools", "bin", name)
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: run make tools", err)
	}
	s.Region = "us-east-1"
	s.AccessKey, s.SecretKey = rand.Text(), rand.Text()
	s.Dir = t.TempDir()
	// Between the look for a free port and its use, another process may
	// take it.
	s.owner, s.program, s.flags = t, program, flags
	for range 5 {
		s.address = freeAddress(t)
		s.Endpoint = scheme + "://" + s.address
		if s.run(t) {
			return s
		}
	}
	t.Fatalf("%s does not start", name)
	return nil
}

// run says whether the server listens. It stops when the test that started it ends.
func (s *Server) run(t testing.TB) bool {
	t.Helper()
	var output bytes.Buffer // owned by the goroutine in Cmd until exited is closed
	arguments := append(slices.Clone(s.flags), "--port", s.address, "--region", s.Region, "posix", s.Dir)
	if s.rclone {
		arguments = []string{
			"serve", "s3", "--config", "/dev/null", "--auth-key", s.AccessKey + "," + s.SecretKey, "--addr", s.address,
			s.Dir,
		}
	}
	command := exec.Command(s.program, arguments...)
	command.Env = []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey}
	command.Dir = s.Dir
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when a test panics
	started, exited := make(chan error), make(chan struct{})
	go func() {
		// The death that Pdeathsig speaks of is this thread's. What is tested
		// ends threads of its own, and may not end this one.
		runtime.LockOSThread()
		defer close(exited)
		err := command.Start()
		started <- err
		if err == nil {
			command.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	s.process, s.exited = command.Process, exited
	s.owner.Cleanup(func() {
		command.Process.Signal(syscall.SIGCONT) // it may be frozen
		command.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(patience):
			s.owner.Error("versitygw does not stop")
			command.Process.Kill()
			<-exited
		}
		if s.owner.Failed() {
			s.owner.Logf("versitygw wrote:\n%s", output.String())
		}
	})
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	timeout := time.After(patience)
	for {
		connection, err := net.Dial("tcp", s.address)
		if err == nil {
			connection.Close()
		}
		select {
		case <-exited:
			t.Logf("versitygw ended:\n%s", output.String())
			return false
		case <-timeout:
			t.Fatalf("versitygw does not listen: %v", err)
		case <-again.C:
			if err == nil {
				return true
			}
		}
	}
}

// Freeze keeps the server from doing anything: connections are taken by the
// kernel, and get no answer. Thaw ends it. It returns when all of the server's
// threads have stopped, which takes a while on a busy machine.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); !s.stopped(t); <-again.C {
		if time.Now().After(deadline) {
			t.Fatal("the server does not stop")
		}
	}
}

// stopped reports whether all of the server's threads are in state T.
func (s *Server) stopped(t testing.TB) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.process.Pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("the server's threads: %q, %v", threads, err)
	}
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		if err == nil && !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return true
}

// Thaw lets a frozen server go on where it was.
func (s *Server) Thaw(t testing.TB) { s.signal(t, syscall.SIGCONT) }

// Kill ends the server at once, whatever it is doing. Restart follows.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	<-s.exited
}

// Restart starts the server again after Kill, with the objects that it had, at
// the same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if !s.run(t) {
		t.Fatal("versitygw does not start again")
	}
}

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// CreateBucket makes an empty bucket.
func (s *Server) CreateBucket(t testing.TB, name string) {
	t.Helper()
	client, end := s.client(t)
	defer end()
	if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("create bucket %s: %v", name, err)
	}
}

// client is a client of the account that may do everything. The function that
// comes with it closes its connections.
func (s *Server) client(t testing.TB) (*awss3.Client, func()) {
	t.Helper()
	client := &http.Client{Transport: transport(t, s.CAFile)}
	return awss3.New(awss3.Options{
		BaseEndpoint: &s.Endpoint,
		Region:       s.Region,
		UsePathStyle: true,
		HTTPClient:   client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}, nil
		}),
	}), client.CloseIdleConnections
}

// SetEnv makes this server's account what the SDK's default chain finds, and
// nothing else. Not for parallel tests.
func (s *Server) SetEnv(t testing.TB) {
	t.Helper()
	ClearEnv(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.SecretKey)
}

// ClearEnv takes from the environment, until the test ends, whatever could tell
// the SDK something: its default chain finds no credentials then and asks no
// metadata service. Not for parallel tests.
func ClearEnv(t testing.TB) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // so that it is put back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	nowhere := t.TempDir()
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(nowhere, "credentials"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(nowhere, "config"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal(err)
	return ""
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
