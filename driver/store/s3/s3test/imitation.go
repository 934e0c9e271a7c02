package s3test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Imitation is an S3 server in memory that deviates from AWS in given ways. It
// checks signatures, as servers do, and knows one bucket, "bucket", in path style
// or as the first label of the host.
type Imitation struct {
	URL                  string
	AccessKey, SecretKey string

	deviations Deviations
	mu         sync.Mutex          // guards all below
	objects    map[string]*version // the latest of each key
	versions   int                 // that were made, delete markers included
	requests   []string            // method and key, in order
}

type version struct {
	data     []byte
	header   http.Header // to be given back
	modified time.Time
	marker   bool // a delete marker
}

// Refusal is an error answer. Its zero value refuses nothing.
type Refusal struct {
	Status        int
	Code, Message string
}

// Deviations are the ways in which a store differs from AWS.
type Deviations struct {
	Checksum        Refusal // of x-amz-checksum-*
	Condition       Refusal // of If-None-Match on a put
	IgnoreChecksum  bool    // neither checked nor given back
	IgnoreCondition bool    // overwrites
	Expect          bool    // 417 to Expect: 100-continue
	AcceptEncoding  string  // replaces the header before the signature is checked
	NeedsMD5        Refusal // of a put without Content-MD5
	NeedsSum        Refusal // of a put with neither Content-MD5 nor a checksum
	NeedsACL        string  // 403 without it
	NoACL           Refusal // of any ACL
	NeedsSSE        string  // 403 without it
	StorageClass    Refusal // of any storage class
	OpaqueETag      bool    // not the MD5
	NoETag          bool
	Versioned       bool
	MarkerIsTaken   bool            // a delete marker counts as an object for If-None-Match
	Archived        bool            // objects cannot be read at once
	Deny            map[string]bool // methods that answer 403, and "LIST"
	MaxKeys         int             // in a page of a listing; 0: 1000
}

// Imitate starts an imitation, and stops it when the test ends.
func Imitate(t testing.TB, d Deviations) *Imitation {
	t.Helper()
	s := &Imitation{
		AccessKey: "AK" + rand.Text(), SecretKey: rand.Text(), deviations: d, objects: map[string]*version{},
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// SetEnv makes the imitation's account what the SDK's default chain finds. Not for
// parallel tests.
func (s *Imitation) SetEnv(t testing.TB) {
	t.Helper()
	ClearEnv(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.SecretKey)
}

// Requests returns what was asked since the last call: "PUT key" and so on.
func (s *Imitation) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

func (s *Imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := &s.deviations
	if d.Expect && r.Header.Get("Expect") != "" {
		w.WriteHeader(http.StatusExpectationFailed)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if d.AcceptEncoding != "" {
		r.Header.Set("Accept-Encoding", d.AcceptEncoding)
	}
	key := strings.TrimPrefix(r.URL.Path, "/")
	if host, _, _ := strings.Cut(r.Host, "."); host != "bucket" {
		bucket, rest, _ := strings.Cut(key, "/")
		if key = rest; bucket != "bucket" {
			refuse(w, r, Refusal{404, "NoSuchBucket", "The specified bucket does not exist."})
			return
		}
	}
	what := r.Method
	if key == "" && r.Method == http.MethodGet {
		what = "LIST"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, what+" "+key)
	switch {
	case !s.signed(r, body):
		refuse(w, r, Refusal{
			403, "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided.",
		})
	case d.Deny[what]:
		refuse(w, r, Refusal{403, "AccessDenied", "Access Denied"})
	case key == "" && r.Method == http.MethodHead:
	case what == "LIST":
		s.list(w, r.URL.Query())
	case what == http.MethodPut:
		s.put(w, r, key, body)
	case what == http.MethodDelete:
		s.delete(w, key)
	default:
		s.get(w, r, key)
	}
}

// put refuses what is amiss, or stores.
func (s *Imitation) put(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	for _, refusal := range s.refusals(r, key, body) {
		if refusal.Status != 0 {
			refuse(w, r, refusal)
			return
		}
	}
	d := &s.deviations
	v := &version{data: body, header: http.Header{}, modified: time.Now()}
	sum := md5.Sum(body)
	switch {
	case d.NoETag:
	case d.OpaqueETag:
		v.header.Set("ETag", `"`+strings.ToLower(hex.EncodeToString([]byte(rand.Text()[:16])))+`"`)
	default:
		v.header.Set("ETag", fmt.Sprintf("%q", hex.EncodeToString(sum[:])))
	}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Meta-") || name == "Content-Type" {
			v.header[name] = values
		}
	}
	s.objects[key] = v
	s.versions++
	w.Header()["Etag"] = v.header["Etag"]
	if sum := r.Header.Get("X-Amz-Checksum-Sha256"); sum != "" && !d.IgnoreChecksum {
		w.Header().Set("X-Amz-Checksum-Sha256", sum)
	}
	if d.Versioned {
		w.Header().Set("X-Amz-Version-Id", fmt.Sprint("v", s.versions))
	}
}

// refusals are what is wrong with a put, in the order in which servers look.
func (s *Imitation) refusals(r *http.Request, key string, body []byte) []Refusal {
	d := &s.deviations
	checksum, sum := r.Header.Get("X-Amz-Checksum-Sha256"), sha256.Sum256(body)
	contentMD5, md5sum := r.Header.Get("Content-Md5"), md5.Sum(body)
	old := s.objects[key]
	taken := old != nil && (!old.marker || d.MarkerIsTaken)
	condition := r.Header.Get("If-None-Match")
	when := func(is bool, refusal Refusal) Refusal {
		if is {
			return refusal
		}
		return Refusal{}
	}
	denied := Refusal{403, "AccessDenied", "Access Denied"}
	return []Refusal{
		when(checksum != "", d.Checksum),
		when(condition != "", d.Condition),
		when(contentMD5 == "", d.NeedsMD5),
		when(contentMD5 == "" && (checksum == "" || d.IgnoreChecksum), d.NeedsSum),
		when(r.Header.Get("X-Amz-Acl") != "", d.NoACL),
		when(r.Header.Get("X-Amz-Storage-Class") != "", d.StorageClass),
		when(d.NeedsACL != "" && r.Header.Get("X-Amz-Acl") != d.NeedsACL, denied),
		when(d.NeedsSSE != "" && r.Header.Get("X-Amz-Server-Side-Encryption") != d.NeedsSSE, denied),
		when(checksum != "" && !d.IgnoreChecksum && checksum != base64.StdEncoding.EncodeToString(sum[:]),
			Refusal{400, "XAmzContentChecksumMismatch", "The provided checksum does not match the computed."}),
		when(contentMD5 != "" && contentMD5 != base64.StdEncoding.EncodeToString(md5sum[:]),
			Refusal{400, "BadDigest", "The Content-MD5 you specified did not match what we received."}),
		when(condition == "*" && taken && !d.IgnoreCondition,
			Refusal{412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}),
	}
}

func (s *Imitation) get(w http.ResponseWriter, r *http.Request, key string) {
	v := s.objects[key]
	switch {
	case v == nil:
		refuse(w, r, Refusal{404, "NoSuchKey", "The specified key does not exist."})
	case v.marker:
		w.Header().Set("X-Amz-Delete-Marker", "true")
		refuse(w, r, Refusal{404, "NoSuchKey", "The specified key does not exist."})
	case s.deviations.Archived && r.Method == http.MethodGet:
		refuse(w, r, Refusal{403, "InvalidObjectState", "The operation is not valid for the object's storage class"})
	default:
		maps.Copy(w.Header(), v.header)
		w.Header().Set("Last-Modified", v.modified.UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", strconv.Itoa(len(v.data)))
		if r.Method == http.MethodGet {
			w.Write(v.data)
		}
	}
}

func (s *Imitation) delete(w http.ResponseWriter, key string) {
	if s.deviations.Versioned {
		s.versions++
		s.objects[key] = &version{marker: true}
		w.Header().Set("X-Amz-Delete-Marker", "true")
		w.Header().Set("X-Amz-Version-Id", fmt.Sprint("v", s.versions))
	} else {
		delete(s.objects, key)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Imitation) list(w http.ResponseWriter, query url.Values) {
	most := s.deviations.MaxKeys
	if most == 0 {
		most = 1000
	}
	type content struct {
		Key          string
		LastModified string
		Size         int
	}
	var page struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		IsTruncated bool
		Contents    []content
	}
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if v := s.objects[key]; strings.HasPrefix(key, query.Get("prefix")) && key > query.Get("start-after") &&
			!v.marker {
			if len(page.Contents) == most {
				page.IsTruncated = true
				break
			}
			page.Contents = append(page.Contents,
				content{key, v.modified.UTC().Format("2006-01-02T15:04:05.000Z"), len(v.data)})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	xml.NewEncoder(w).Encode(page)
}

func refuse(w http.ResponseWriter, r *http.Request, refusal Refusal) {
	w.Header().Set("X-Amz-Request-Id", "REQUEST1")
	w.WriteHeader(refusal.Status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, refusal.Code,
			refusal.Message)
	}
}

// signed checks a signature of version 4 over the headers that it names, as they
// have arrived.
func (s *Imitation) signed(r *http.Request, body []byte) bool {
	fields := map[string]string{}
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for part := range strings.SplitSeq(rest, ", ") {
		name, value, _ := strings.Cut(part, "=")
		fields[name] = value
	}
	access, scope, _ := strings.Cut(fields["Credential"], "/")
	parts := strings.Split(scope, "/")
	sum := sha256.Sum256(body)
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if access != s.AccessKey || len(parts) != 4 || payload != hex.EncodeToString(sum[:]) {
		return false
	}
	var canonical bytes.Buffer
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(),
		strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"))
	for name := range strings.SplitSeq(fields["SignedHeaders"], ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.Join(strings.Fields(value), " "))
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", fields["SignedHeaders"], payload)
	digest := sha256.Sum256(canonical.Bytes())
	key := []byte("AWS4" + s.SecretKey)
	for _, part := range parts {
		key = mac(key, part)
	}
	toSign := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + hex.EncodeToString(digest[:])
	return fields["Signature"] == hex.EncodeToString(mac(key, toSign))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
