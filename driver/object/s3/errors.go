package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/logfast/logfast/driver/object"
)

// failure is what the server, or the way to it, answered. It keeps of the SDK's
// error what an operator can use, and nothing of the request.
type failure struct {
	status    int    // of HTTP; 0 when no answer came
	code      string // of S3, such as "AccessDenied"; empty when the answer was not S3's
	message   string
	requestID string // by which the server's operator finds it
	region    string // where the bucket is, on a redirect
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
		return fmt.Errorf("%w: %w", object.ErrBlocked, missing)
	}
	var other *notS3
	if errors.As(err, &other) {
		return fmt.Errorf("%w: %w", object.ErrBlocked, other)
	}
	f := newFailure(err)
	kind := f.kind()
	if kind == nil {
		return f
	}
	if errors.Is(kind, object.ErrBlocked) {
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
		}
	}
	var api smithy.APIError
	var unsent *smithyhttp.RequestSendError
	switch {
	case errors.As(err, &api):
		f.code, f.message, f.cause = plain(api.ErrorCode(), 100), plain(api.ErrorMessage(), maxMessage), nil
	case errors.As(err, &unsent):
		f.cause = unsent.Err
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
	if remedy := f.remedy(); remedy != "" {
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

// remedy is what to look at when the store refuses, empty where it does not.
func (f *failure) remedy() string {
	switch f.code {
	case "RequestTimeTooSkewed":
		return "The clock of this machine is wrong, or the server's is: set it"
	case "ExpiredToken", "TokenRefreshRequired", "InvalidToken":
		return "The session's credentials are over: check that whoever gives them out renews them"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound", "InvalidSecurity":
		return "Check the access key and its secret; those in the credentials file are read again before the next attempt"
	case "NoSuchBucket", "InvalidBucketName":
		return "Check the bucket's name, or create the bucket"
	case "AuthorizationHeaderMalformed", "PermanentRedirect":
		return "Check the region"
	case "InvalidArgument", "InvalidRequest", "InvalidStorageClass", "KMS.DisabledException", "KMS.InvalidStateException", "KMS.NotFoundException":
		return "Check the encryption, its key and the storage class that are set"
	}
	switch {
	case f.status == http.StatusForbidden || f.status == http.StatusUnauthorized:
		return "Check that the credentials' policy and the bucket's allow s3:PutObject and s3:GetObject here"
	case errors.Is(f.kind(), object.ErrBlocked):
		return "Check the endpoint, the bucket's name and the region"
	}
	return ""
}

// ClockSkew is for [object.ClockSkew].
func (f *failure) ClockSkew() bool { return f.code == "RequestTimeTooSkewed" }

func (f *failure) Unwrap() error { return f.cause }

// kind is the error of package object that a failure is; nil means that it may
// pass. The codes are those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
// and of the servers that are like it.
func (f *failure) kind() error {
	switch f.code {
	case "NoSuchKey", "NotFound":
		return object.ErrNotFound
	case "EntityTooLarge", "MetadataTooLarge", "KeyTooLongError":
		return object.ErrInvalid
	case
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
		"KMS.DisabledException",
		"KMS.InvalidStateException",
		"KMS.NotFoundException",
		"RequestTimeTooSkewed",
		"TokenRefreshRequired":
		return object.ErrBlocked
	}
	switch f.status {
	case http.StatusMovedPermanently, // another region's
		http.StatusUnauthorized,
		http.StatusForbidden,
		http.StatusNotFound, // no such bucket; or no such account (XAdminUserNotFound)
		http.StatusMethodNotAllowed,
		http.StatusNotImplemented:
		return object.ErrBlocked
	}
	return nil
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
