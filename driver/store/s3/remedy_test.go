package s3

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/internal/flood"
)

// A remedy follows what the server says: the right to put is advised for denied
// access alone.
func TestRemedy_FollowsTheMessage(t *testing.T) {
	setKeys(t)
	for _, test := range []struct {
		status        int
		code, message string
		want          string
	}{
		{403, "AccessDenied", "Access Denied", "allow s3:PutObject and s3:GetObject"},
		{403, "AccessDenied", "Access Denied", "LOGFAST_S3_ACL=bucket-owner-full-control"},
		{403, "AccessDenied", "Server side encryption is required", "LOGFAST_S3_SSE="},
		{403, "AccessDenied", "User is not authorized to perform: kms:GenerateDataKey", "LOGFAST_S3_SSE_KMS_KEY_ID"},
		{403, "AccessDenied", "Object is WORM protected and cannot be overwritten", "retention"},
		{403, "AccessDenied", "Cannot upload files, storage cap exceeded.", "quota"},
		{403, "QuotaExceeded", "", "quota"},
		{403, "UserSuspended", "", "blocked the account"},
		{403, "RequestTimeTooSkewed", "The difference is too large.", "clock of this machine"},
		{403, "InvalidAccessKeyId", "Not in our records.", "/etc/logfast/credentials"},
		{403, "SignatureDoesNotMatch", "Check your key.", "secret access key"},
		{400, "ExpiredToken", "The provided token has expired.", "have expired"},
		{404, "NoSuchBucket", "The specified bucket does not exist", "create the bucket"},
		{301, "PermanentRedirect", "Use the endpoint.", "AWS_REGION"},
		{400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'", "AWS_REGION=eu-west-1"},
		{400, "AccessControlListNotSupported", "The bucket does not allow ACLs", "LOGFAST_S3_ACL to nothing"},
		{400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters", "Object Lock"},
		{400, "InvalidArgument", "Unsupported header 'x-amz-checksum-sha256' received for this API call.", "checksum"},
		{400, "BadDigest", "The SHA256 you specified did not match.", "changed on the way"},
		{400, "InvalidStorageClass", "Not valid", "LOGFAST_S3_STORAGE_CLASS"},
		{400, "InvalidArgument", "The encryption method specified is not supported", "LOGFAST_S3_SSE"},
		{501, "NotImplemented", "If-None-Match is not implemented", "conditional write"},
		{501, "NotImplemented", "Header 'x-amz-acl' with value 'private' not implemented", "LOGFAST_S3_ACL"},
		{405, "MethodNotAllowed", "", "S3 API"},
	} {
		s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			refuse(w, test.status, test.code, test.message)
		}), Options{})
		err := putData(t, s)
		text, remedy := store.Advice(errorOr(err))
		if !strings.Contains(remedy, test.want) {
			t.Errorf("%d %s %q: remedy %q, want %q", test.status, test.code, test.message, remedy, test.want)
		}
		if strings.Contains(text, remedy) || !strings.Contains(text, test.code) || !strings.Contains(text, strings.TrimSuffix(test.message, ".")) {
			t.Errorf("%s: the text is %q", test.code, text)
		}
		plainDenial := test.code == "AccessDenied" && test.message == "Access Denied"
		if strings.Contains(err.Error(), "s3:PutObject and") != plainDenial {
			t.Errorf("%s %q: %v", test.code, test.message, err)
		}
	}
}

func TestRemedy_Redirects(t *testing.T) {
	setKeys(t)
	for what, test := range map[string]struct {
		status int
		header map[string]string
		code   string
		want   string
		blocks bool
	}{
		"region":       {301, map[string]string{"X-Amz-Bucket-Region": "eu-west-3"}, "PermanentRedirect", "AWS_REGION=eu-west-3", true},
		"to https":     {308, map[string]string{"Location": "https://s3.example.com/bucket/key"}, "", "AWS_ENDPOINT_URL_S3=https://s3.example.com", true},
		"moved":        {301, map[string]string{"Location": "https://s3.example.com/bucket/key?x=secret"}, "", "AWS_ENDPOINT_URL_S3=https://s3.example.com", true},
		"login page":   {302, map[string]string{"Location": "https://login.example.com/"}, "", "https://login.example.com", false},
		"new bucket's": {307, map[string]string{"Location": "https://bucket.s3-eu-west-3.amazonaws.com/"}, "TemporaryRedirect", "AWS_ENDPOINT_URL_S3", false},
	} {
		s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			for name, value := range test.header {
				w.Header().Set(name, value)
			}
			if test.code == "" {
				w.WriteHeader(test.status)
				return
			}
			refuse(w, test.status, test.code, "Go elsewhere.")
		}), Options{})
		err := putData(t, s)
		if _, remedy := store.Advice(errorOr(err)); !strings.Contains(remedy, test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
		if errors.Is(err, store.ErrBlocked) != test.blocks {
			t.Errorf("%s: %v, blocks: want %v", what, err, test.blocks)
		}
	}
}

// http to a port for https and the other way round, in the words of several servers.
func TestRemedy_Scheme(t *testing.T) {
	setKeys(t)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(take))
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	t.Cleanup(secure.Close)
	https := func(text string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, text)
		}).URL
	}
	alert := flood.Listen(t, func(c net.Conn) {
		tls.Server(c, &tls.Config{}).Handshake()
	})
	for what, test := range map[string]struct{ endpoint, want string }{
		"Go, http to https": {strings.Replace(secure.URL, "https:", "http:", 1), "write https://"},
		"nginx":             {https("<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>"), "write https://"},
		"Apache":            {https("Reason: You're speaking plain HTTP to an SSL-enabled server port."), "write https://"},
		"alert":             {"http://" + alert, "write https://"},
		"https to http":     {strings.Replace(serve(t, take).URL, "http:", "https:", 1), "write http://"},
		"authority":         {secure.URL, "AWS_CA_BUNDLE"},
		"no such host":      {"http://nothing.invalid", "AWS_ENDPOINT_URL_S3"},
		"no server":         {"http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3=https://HOST:PORT"},
	} {
		s := open(t, Options{Bucket: "bucket", Endpoint: test.endpoint, PathStyle: true})
		err := putData(t, s)
		if _, remedy := store.Advice(errorOr(err)); !strings.Contains(remedy, test.want) {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
}
