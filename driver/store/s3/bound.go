package s3

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The bounds of what a server may answer. They hold for every client that the
// SDK makes: S3's, and those of the services that give out credentials.
const (
	maxHeader = 256 << 10 // bytes in the headers of an answer, informational ones included
	maxAnswer = 1 << 20   // bytes in an error, and in every answer that is neither an object nor a listing
	maxPage   = 16 << 20  // bytes in one page of a listing
	maxTags   = 60_000    // "<" in one page of a listing; a thousand keys have less than half of that
	maxRoot   = 4 << 10   // bytes before the first element of a listing has begun

	// answerTime is how long the headers of an answer may take, and how long a
	// reader may wait for a body in all; leastRate adds a second to the latter
	// for so many bytes. A put has the deadline of its caller instead.
	answerTime = time.Minute
	leastRate  = 128 << 10
)

// errSlow is the cause with which a request is cancelled.
var errSlow = fmt.Errorf("the server answers too slowly: it took more than %v, and a second for each %d KiB",
	answerTime, leastRate>>10)

// tooLong says that a server sent more than any answer of its kind has.
type tooLong struct{ limit int64 }

func (e tooLong) Error() string {
	return fmt.Sprintf("the server's answer is longer than the %d bytes that logfast reads of an answer of its kind",
		e.limit)
}

// notS3 says that what answers at the endpoint does not speak S3: a captive
// portal, a web server, a proxy's page.
type notS3 struct{ what string }

func (e *notS3) Error() string {
	return "the endpoint does not answer like S3: " + e.what + ". " + e.Remedy() + "."
}

// Remedy says what to look at.
func (*notS3) Remedy() string {
	return "Set AWS_ENDPOINT_URL_S3=https://HOST:PORT to the address of the store's S3 API, not of its console; " +
		"curl -i https://HOST:PORT shows whether a proxy or a login page of the network answers instead"
}

// wrongScheme says that the server at an https port was asked by http.
type wrongScheme struct{ answer string }

func (e *wrongScheme) Error() string {
	return "the server refuses plain http: " + e.answer + ". " + remedyHTTPS + "."
}

// Remedy says what to write.
func (*wrongScheme) Remedy() string { return remedyHTTPS }

// boundedClient is the SDK's HTTP client with bounded headers, and without
// unpacking answers by itself.
func boundedClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxResponseHeaderBytes = maxHeader
		t.DisableCompression = true
	})
}

// bound bounds the time and the size of every answer, below all that the SDK
// does with it.
func bound(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("BoundAnswer", boundAnswer), middleware.After)
}

func boundAnswer(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	operation := awsmiddleware.GetOperationName(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(answerTime, func() {
		if operation != "PutObject" {
			cancel(errSlow)
		}
	})
	out, metadata, err = next.HandleDeserialize(ctx, in)
	late.Stop()
	answer, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || answer == nil || answer.Body == nil {
		if err != nil && errors.Is(context.Cause(ctx), errSlow) {
			err = &smithyhttp.RequestSendError{Err: errSlow}
		}
		cancel(nil)
		return out, metadata, err
	}
	listing := operation == "ListObjectsV2" && answer.StatusCode < 300
	body := &boundedBody{body: answer.Body, ctx: ctx, cancel: cancel, limit: limitOf(operation, answer.Response)}
	if listing {
		body.tags = maxTags
	}
	answer.Body = body
	if answer.StatusCode == http.StatusBadRequest {
		buffered := bufio.NewReaderSize(body, maxRoot)
		if head, _ := buffered.Peek(maxRoot); toHTTPS(string(head)) {
			_ = body.Close()
			return out, metadata, &wrongScheme{plain(strings.TrimSpace(firstText(head)), 200)}
		}
		answer.Body = readCloser{buffered, body}
	}
	if listing {
		buffered := bufio.NewReaderSize(body, maxRoot)
		head, _ := buffered.Peek(maxRoot) // an error comes again from the next read
		if root := rootOf(head); root != "ListBucketResult" && root != "Error" &&
			(body.err == nil || errors.Is(body.err, io.EOF)) {
			_ = body.Close()
			return out, metadata, &notS3{fmt.Sprintf("a listing is %s (%s), not the element <ListBucketResult>",
				root, orNone("content type", plain(answer.Header.Get("Content-Type"), 60)))}
		}
		answer.Body = readCloser{buffered, body}
	}
	return out, metadata, nil
}

// firstText is a page without its tags.
func firstText(page []byte) string {
	return string(regexp.MustCompile(`(?s)<[^>]*>\s*`).ReplaceAll(page, nil))
}

type readCloser struct {
	io.Reader
	io.Closer
}

func orNone(what, value string) string {
	if value == "" {
		return "no " + what
	}
	return what + " " + value
}

// limitOf is how many bytes the body of an answer may have.
func limitOf(operation string, answer *http.Response) int64 {
	switch {
	case answer.StatusCode >= 300:
		return maxAnswer
	case operation == "GetObject" && answer.ContentLength >= 0:
		return answer.ContentLength
	case operation == "GetObject":
		return maxObject
	case operation == "ListObjectsV2":
		return maxPage
	}
	return maxAnswer
}

// rootOf names the first element of an XML text, or says what is there instead.
func rootOf(text []byte) string {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // names are ASCII
	for {
		token, err := d.RawToken()
		if err != nil {
			if len(bytes.TrimSpace(text)) == 0 {
				return "empty"
			}
			return "no XML"
		}
		switch token := token.(type) {
		case xml.StartElement:
			return plain(token.Name.Local, 60)
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return "no XML"
			}
		}
	}
}

// boundedBody is the body of an answer, up to a limit and with an allowance of
// time that reads may wait in all. What the reader does between reads counts for
// nothing.
type boundedBody struct {
	body   io.ReadCloser
	ctx    context.Context //nolint:containedctx // the request's: its cause says why a read failed
	cancel context.CancelCauseFunc

	limit  int64
	tags   int // "<" that may come; 0: any number
	read   int64
	waited time.Duration
	err    error // what every further read returns
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if left := b.limit - b.read; int64(len(p)) > left+1 {
		p = p[:left+1] // one more, to see that there is more
	}
	allowance := answerTime + time.Duration(b.read/leastRate)*time.Second - b.waited
	began := time.Now()
	late := time.AfterFunc(max(allowance, 0), func() { b.cancel(errSlow) })
	n, err := b.body.Read(p)
	late.Stop()
	b.waited += time.Since(began)
	b.read += int64(n)
	switch {
	case b.read > b.limit:
		n, err = n-int(b.read-b.limit), tooLong{b.limit}
	case err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.ctx), errSlow):
		err = errSlow
	}
	if b.tags > 0 {
		if b.tags -= bytes.Count(p[:n], []byte("<")); b.tags <= 0 {
			err = tooLong{b.read}
		}
	}
	b.err = err
	return n, err
}

func (b *boundedBody) Close() error {
	b.cancel(nil)
	if b.err == nil {
		b.err = http.ErrBodyReadAfterClose
	}
	return b.body.Close()
}
