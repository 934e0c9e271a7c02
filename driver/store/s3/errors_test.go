package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/s3/s3test"
)

// kinds is the error of package object that err wraps, or nil.
func kinds(err error) error {
	for _, kind := range []error{store.ErrNotFound, store.ErrExists, store.ErrBlocked, store.ErrInvalid} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return nil
}

func TestRefusals(t *testing.T) {
	setKeys(t)
	for _, test := range []struct {
		status        int
		code          string
		put, get, all error // all: of a listing
	}{
		{403, "AccessDenied", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{403, "InvalidAccessKeyId", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{403, "SignatureDoesNotMatch", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{400, "ExpiredToken", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{403, "ExpiredToken", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{403, "RequestTimeTooSkewed", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{404, "NoSuchBucket", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{404, "XAdminUserNotFound", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{301, "PermanentRedirect", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{400, "AuthorizationHeaderMalformed", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{400, "KMS.NotFoundException", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{501, "NotImplemented", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{401, "Unauthorized", store.ErrBlocked, store.ErrBlocked, store.ErrBlocked},
		{404, "NoSuchKey", store.ErrNotFound, store.ErrNotFound, store.ErrNotFound},
		{400, "EntityTooLarge", store.ErrInvalid, store.ErrInvalid, store.ErrInvalid},
		{400, "BadDigest", nil, nil, nil},
		{400, "RequestTimeout", nil, nil, nil},
		{400, "KMS.ThrottlingException", nil, nil, nil},
		{409, "ConditionalRequestConflict", nil, nil, nil},
		{409, "OperationAborted", nil, nil, nil},
		{429, "TooManyRequests", nil, nil, nil},
		{500, "InternalError", nil, nil, nil},
		{503, "SlowDown", nil, nil, nil},
		{507, "XMinioStorageFull", nil, nil, nil},
	} {
		t.Run(fmt.Sprint(test.status, test.code), func(t *testing.T) {
			requests := 0
			s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				refuse(w, test.status, test.code, "What the server says.")
			}), Options{Prefix: "p/"})
			check := func(what, url string, err, want error) {
				t.Helper()
				if err == nil || kinds(err) != want {
					t.Errorf("%s: %v, want %v", what, err, want)
					return
				}
				for _, part := range []string{what, url, test.code, "What the server says.", fmt.Sprint(test.status), "REQUEST1"} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: %q does not tell %q", what, err, part)
					}
				}
				for _, secret := range []string{"AKIDEXAMPLE", "hunter2", "Signature="} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("%s: %q tells %q", what, err, secret)
					}
				}
			}
			check("put", "s3://bucket/p/key", putData(t, s), test.put)
			_, _, err := s.Get(t.Context(), "key")
			check("get", "s3://bucket/p/key", err, test.get)
			for _, err := range s.List(t.Context(), "some", "") {
				check("list", "s3://bucket/p/some", err, test.all)
			}
			want := 3
			if test.status == http.StatusNotImplemented {
				want += 3 // a put is tried without what the server may not implement
			}
			if requests != want {
				t.Errorf("made %d requests for 3 calls, want %d", requests, want)
			}
		})
	}
}

// Whoever reads that the store refuses also reads what to look at.
func TestRefusalsSayWhatToCheck(t *testing.T) {
	for code, word := range map[string]string{
		"AccessDenied": "s3:PutObject and s3:GetObject", "NoSuchBucket": "create the bucket", "InvalidAccessKeyId": "credentials file",
		"SignatureDoesNotMatch": "credentials file", "ExpiredToken": "renews them", "RequestTimeTooSkewed": "clock", "KMS.NotFoundException": "encryption",
		"AuthorizationHeaderMalformed": "region", "WhoKnows": "s3:PutObject",
	} {
		f := &failure{status: http.StatusForbidden, code: code, message: "The server's words."}
		if got := f.Error(); !strings.Contains(got, "The server's words. ") || !strings.Contains(got, word) || strings.Contains(got, "..") {
			t.Errorf("%s: %q does not tell %q", code, got, word)
		}
	}
	if got := (&failure{status: 503, code: "SlowDown", message: "Reduce your rate."}).Error(); strings.Contains(got, "heck") {
		t.Errorf("%q asks for what cannot help", got)
	}
}

// Answers that are not S3's: of a proxy, of the wrong server, or none.
func TestRefusalsOfOthers(t *testing.T) {
	setKeys(t)
	for status, want := range map[int]error{
		http.StatusForbidden:  store.ErrBlocked,
		http.StatusNotFound:   store.ErrBlocked,
		http.StatusBadGateway: nil,
	} {
		s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte("<html><body>nginx</body>"))
		}), Options{})
		if err := putData(t, s); err == nil || kinds(err) != want || !strings.Contains(err.Error(), fmt.Sprint("HTTP ", status)) {
			t.Errorf("put to a web server that says %d: %v, want %v", status, err, want)
		}
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s := open(t, Options{Bucket: "bucket", Endpoint: "http://" + listener.Addr().String(), PathStyle: true})
	if err := putData(t, s); err == nil || kinds(err) != nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("put to nobody: %v, want a connection refused, to be tried again", err)
	}
}

func TestRedirectTellsTheRegion(t *testing.T) {
	setKeys(t)
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bucket/key" {
			t.Errorf("followed the redirect to %s", r.URL)
		}
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-3")
		w.Header().Set("Location", "/elsewhere")
		refuse(w, http.StatusMovedPermanently, "PermanentRedirect", "Use the endpoint.")
	}), Options{})
	if err := putData(t, s); !errors.Is(err, store.ErrBlocked) || !strings.Contains(err.Error(), "eu-west-3") {
		t.Errorf("put: %v, want ErrBlocked with the region", err)
	}
}

// The refusal tells the server's time, and the next request is signed by it.
func TestClockSkew(t *testing.T) {
	setKeys(t)
	there := time.Now().Add(3 * time.Hour)
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", there.UTC().Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || signed.Sub(there).Abs() > 15*time.Minute {
			refuse(w, http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
			return
		}
		take(w, r)
	}), Options{})
	if err := putData(t, s); !errors.Is(err, store.ErrBlocked) || !strings.Contains(err.Error(), "clock of this machine is wrong") {
		t.Errorf("put by a wrong clock: %v, want ErrBlocked and a word about the clock", err)
	}
	if err := putData(t, s); err != nil {
		t.Errorf("the next put: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	setKeys(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel() // the server has the request and does not answer
		<-release
	}), Options{})
	defer close(release)
	if _, _, err := s.Get(ctx, "key"); !errors.Is(err, context.Canceled) || kinds(err) != nil {
		t.Errorf("get: %v, want context.Canceled", err)
	}
}

// Where the metadata service does not answer, this is no instance, and there
// are no credentials.
func TestCredentialsFailurePasses(t *testing.T) {
	unsent := &smithyhttp.RequestSendError{Err: errors.New("connection refused")}
	for service, want := range map[string]bool{"STS": true, "SSO": true, "ec2imds": false} {
		err := &credentialsError{&smithy.OperationError{ServiceID: service, Err: unsent}}
		if err.passes() != want {
			t.Errorf("%v passes: %v, want %v", err, !want, want)
		}
	}
	if err := (&credentialsError{errors.New("no such profile")}); err.passes() {
		t.Errorf("%v passes", err)
	}
}

// Who gives out credentials may be out of reach; that passes. That he denies
// them does not.
func TestCredentialsFailures(t *testing.T) {
	for what, test := range map[string]struct {
		answer func(http.ResponseWriter)
		want   error
	}{
		"denied": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			w.Write([]byte("<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not you.</Message></Error></ErrorResponse>"))
		}, store.ErrBlocked},
		"busy": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, nil},
		"away": {func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }, nil},
	} {
		t.Run(what, func(t *testing.T) {
			s3test.ClearEnv(t)
			sts := serve(t, func(w http.ResponseWriter, r *http.Request) { test.answer(w) })
			token := t.TempDir() + "/token"
			if err := os.WriteFile(token, []byte("token"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/logfast")
			t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
			t.Setenv("AWS_MAX_ATTEMPTS", "1")
			t.Setenv("AWS_REGION", "us-east-1")
			s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("a request without credentials") }), Options{})
			if err := putData(t, s); err == nil || kinds(err) != test.want {
				t.Errorf("put: %v, want %v", err, test.want)
			} else {
				t.Log(err)
			}
		})
	}
}
