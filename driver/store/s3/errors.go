package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/logfast/logfast/driver/store"
)

// failure is what the server, or the way to it, answered. It keeps of the SDK's
// error what an operator can use, and nothing of the request.
type failure struct {
	status    int    // of HTTP; 0 when no answer came
	code      string // of S3, such as "AccessDenied"; empty when the answer was not S3's
	message   string
	requestID string // by which the server's operator finds it
	region    string // where the bucket is, if the answer says so
	location  string // to which a redirect leads, without its query
	operation string // of the SDK, such as "PutObject"
	cause     error  // when no answer came
}

// explain turns an error of the SDK into one of package object's, or into a
// *failure to be tried again.
func (s *Store) explain(ctx context.Context, err error) error {
	if over := ctx.Err(); over != nil {
		return over
	}
	var missing *credentialsError
	if errors.As(err, &missing) {
		s.credentials.forget()
		if missing.passes() {
			return missing
		}
		return fmt.Errorf("%w: %w", store.ErrBlocked, missing)
	}
	var other *notS3
	if errors.As(err, &other) {
		return fmt.Errorf("%w: %w", store.ErrBlocked, other)
	}
	var scheme *wrongScheme
	if errors.As(err, &scheme) {
		return fmt.Errorf("%w: %w", store.ErrBlocked, scheme)
	}
	f := newFailure(err)
	kind := f.kind()
	if kind == nil {
		return f
	}
	if errors.Is(kind, store.ErrBlocked) {
		s.credentials.forget()
	}
	return fmt.Errorf("%w: %w", kind, f)
}

func newFailure(err error) *failure {
	f := &failure{cause: err}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		f.status = answer.HTTPStatusCode()
		f.cause = answer.Err
		if answer.Response != nil {
			f.requestID = plain(answer.Response.Header.Get("X-Amz-Request-Id"), 100)
			f.region = plain(answer.Response.Header.Get("X-Amz-Bucket-Region"), 60)
			f.location = redirectedTo(answer.Response.Header.Get("Location"))
		}
	}
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		f.operation = operation.Operation()
	}
	var api smithy.APIError
	var unsent *smithyhttp.RequestSendError
	switch {
	case errors.As(err, &api):
		f.code, f.message, f.cause = plain(api.ErrorCode(), 100), plain(api.ErrorMessage(), maxMessage), nil
	case errors.As(err, &unsent):
		f.cause = unsent.Err
	}
	if f.region == "" && f.code == "AuthorizationHeaderMalformed" {
		f.region = expectedRegion(f.message)
	}
	return f
}

func (f *failure) Error() string {
	var b strings.Builder
	switch {
	case f.code != "":
		b.WriteString(f.code)
		if f.message != "" && f.message != f.code {
			b.WriteString(": " + f.message)
		}
	case f.cause != nil:
		b.WriteString(plain(f.cause.Error(), 2*maxMessage))
	}
	if remedy := f.Remedy(); remedy != "" {
		said := strings.TrimSuffix(b.String(), ".")
		b.Reset()
		b.WriteString(said + ". " + remedy + ".")
	}
	if f.region != "" && f.status >= 300 && f.status < 500 {
		b.WriteString(" (the bucket is in the region " + f.region + ")")
	}
	if f.status != 0 {
		fmt.Fprintf(&b, " (HTTP %d", f.status)
		if f.requestID != "" {
			b.WriteString(", request " + f.requestID)
		}
		b.WriteString(")")
	}
	return b.String()
}

// ClockSkew is for [store.ClockSkew].
func (f *failure) ClockSkew() bool { return f.code == "RequestTimeTooSkewed" }

func (f *failure) Unwrap() error { return f.cause }

// kind is the error of package object that a failure is; nil means that it may
// pass. The codes are those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
// and of the servers that are like it.
func (f *failure) kind() error {
	switch f.code {
	case "NoSuchKey", "NotFound":
		return store.ErrNotFound
	case "EntityTooLarge", "MetadataTooLarge", "KeyTooLongError":
		return store.ErrInvalid
	case "InvalidObjectState":
		if f.operation == "GetObject" {
			return store.ErrArchived
		}
		return store.ErrBlocked
	case
		"AccessControlListNotSupported", // an ACL, in a bucket that has none
		"AccountProblem",
		"AllAccessDisabled",
		"AuthorizationHeaderMalformed", // signed for another region
		"ExpiredToken",
		"InvalidAccessKeyId",
		"InvalidArgument", // such as a KMS key that is none
		"InvalidBucketName",
		"InvalidRequest", // such as encryption that the bucket's policy excludes
		"InvalidSecurity",
		"InvalidStorageClass",
		"InvalidToken",
		"InvalidDigest", // a Content-MD5 that the server does not like
		"MissingContentMD5",
		"KMS.DisabledException",
		"KMS.InvalidStateException",
		"KMS.NotFoundException",
		"RequestTimeTooSkewed",
		"TokenRefreshRequired":
		return store.ErrBlocked
	}
	switch f.status {
	case http.StatusMovedPermanently, // another region's
		http.StatusUnauthorized,
		http.StatusForbidden,
		http.StatusNotFound, // no such bucket; or no such account (XAdminUserNotFound)
		http.StatusMethodNotAllowed,
		http.StatusExpectationFailed,
		http.StatusNotImplemented:
		return store.ErrBlocked
	}
	if f.location != "" && f.status == http.StatusPermanentRedirect || f.scheme() != "" {
		return store.ErrBlocked
	}
	return nil
}

// expectedRegion reads the region of a bucket out of S3's message: "The
// authorization header is malformed; the region 'us-east-1' is wrong; expecting
// 'eu-west-1'".
func expectedRegion(message string) string {
	if found := regexp.MustCompile(`expecting '([a-z0-9-]{1,60})'`).FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}

// redirectedTo is the address of a redirect as far as its host, which is all that an
// endpoint has; empty if there is none.
func redirectedTo(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return plain(u.Scheme+"://"+u.Host, 300)
}

// maxMessage is how many bytes of a server's message an error quotes.
const maxMessage = 500

// plain keeps what a server says to printable characters and to at most so many
// bytes.
func plain(s string, most int) string {
	cut := ""
	if len(s) > most {
		s, cut = s[:most], "…"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s) + cut
}
