package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/store"
)

// The remedies, one for each cause. They name the settings of the plugin.
const (
	remedyClock = "The clock of this machine is wrong, or the server's is: set it, for example with " +
		"timedatectl set-ntp true"
	remedySession = "The temporary credentials have expired: check that the program or service that issues " +
		"them renews them"
	remedyKeys = "Put the right access key ID and secret into /etc/logfast/credentials, the plugin's " +
		"credentials file; no restart is needed"
	remedySecret = "Check the secret access key in /etc/logfast/credentials, the plugin's credentials file; " +
		"no restart is needed. If it is right, a proxy on the way changes requests"
	remedyBucket = "Check the bucket's name in LOGFAST_STORE=s3://BUCKET/PREFIX, or create the bucket"
	remedyKMS    = "Check the encryption's KMS key: LOGFAST_S3_SSE_KMS_KEY_ID, its state, its region, and " +
		"kms:GenerateDataKey in its policy"
	remedyClass = "Set a storage class that the store has, or none: LOGFAST_S3_STORAGE_CLASS"
	remedyNoACL = "The bucket takes no ACLs: set LOGFAST_S3_ACL to nothing"
	remedyACL   = "Set the ACL that the bucket requires, mostly LOGFAST_S3_ACL=bucket-owner-full-control, " +
		"and allow s3:PutObjectAcl"
	remedySSE = "Set the encryption that the bucket's policy requires: LOGFAST_S3_SSE=AES256, or aws:kms " +
		"with LOGFAST_S3_SSE_KMS_KEY_ID"
	remedyLock = "The bucket has Object Lock and wants a Content-MD5 or a checksum that it knows: check " +
		"that no proxy on the way removes these headers"
	remedyChecksum = "The store refuses the object's checksum: check that no proxy on the way changes the " +
		"object or its headers, and which checksums the store takes"
	remedyCondition = "The store refuses the conditional write (If-None-Match): update the store, or ask its " +
		"operator for conditional PutObject"
	remedyHeaders = "Check the settings that the store may refuse: LOGFAST_S3_SSE, LOGFAST_S3_SSE_KMS_KEY_ID, " +
		"LOGFAST_S3_STORAGE_CLASS and LOGFAST_S3_ACL (encryption, its key, storage class, ACL)"
	remedyDamaged = "The bytes were changed on the way: check proxies and the network between here and the " +
		"store; logfast tries again"
	remedyAccount = "The store has blocked the account or the bucket: ask its operator, or look at the bill"
	remedyQuota   = "The store's quota is used up: make room in the bucket or raise the quota"
	remedyExpect  = "The server or a proxy refuses an expectation that logfast does not send: look at proxies on " +
		"the way, or go around them with NO_PROXY"
	remedyMethod = "The server does not allow the request here: set AWS_ENDPOINT_URL_S3 to the address of the " +
		"store's S3 API, and check LOGFAST_S3_PATH_STYLE"
	remedyEndpoint    = "Check the endpoint (AWS_ENDPOINT_URL_S3), the bucket's name and the region (AWS_REGION)"
	remedyProxyAnswer = "The answer is not S3's: check the endpoint (AWS_ENDPOINT_URL_S3), and whether a proxy, a " +
		"firewall or a login page answers instead"
	remedyHTTPS = "The server speaks https at this port: write https:// in AWS_ENDPOINT_URL_S3"
	remedyHTTP  = "The server speaks http at this port, without TLS: write http:// in AWS_ENDPOINT_URL_S3, " +
		"or name its https port"
	remedyCA = "The server's certificate is of an authority that is not trusted: set AWS_CA_BUNDLE to the " +
		"authority's certificate in PEM, below /etc/logfast"
	remedyHostname = "The server's certificate is for another name: check the host in AWS_ENDPOINT_URL_S3; with " +
		"a bucket in the host name, set LOGFAST_S3_PATH_STYLE=true"
	remedyExpired = "The server's certificate is not valid now: renew it, and check the clock of this machine"
	remedyResolve = "The host name cannot be found: check AWS_ENDPOINT_URL_S3, AWS_REGION and this machine's " +
		"DNS; with a bucket in the host name, set LOGFAST_S3_PATH_STYLE=true"
	remedyRefused = "No server listens there: check whether the store runs, and its address: " +
		settings.Endpoint + "=https://HOST:PORT"
	remedyBroken = "logfast tries again. If the connection always breaks, the server may speak https at this " +
		"port: write https:// in AWS_ENDPOINT_URL_S3 then"
	remedyProxy = "The proxy cannot be used: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
)

// remedyOf is the remedy of the codes that have one cause. The codes are S3's
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and those of
// MinIO, Ceph, B2, OSS and versitygw that S3 does not have.
var remedyOf = map[string]string{
	"RequestTimeTooSkewed": remedyClock, "RequestExpired": remedyClock,
	"ExpiredToken": remedySession, "TokenRefreshRequired": remedySession, "InvalidToken": remedySession,
	"InvalidAccessKeyId": remedyKeys, "XAdminUserNotFound": remedyKeys, "InvalidSecurity": remedyKeys,
	"Unauthorized":          remedyKeys,
	"SignatureDoesNotMatch": remedySecret,
	"NoSuchBucket":          remedyBucket, "InvalidBucketName": remedyBucket,
	"KMS.DisabledException": remedyKMS, "KMS.InvalidStateException": remedyKMS, "KMS.NotFoundException": remedyKMS,
	"InvalidStorageClass":           remedyClass,
	"AccessControlListNotSupported": remedyNoACL,
	"MissingContentMD5":             remedyLock,
	"BadDigest":                     remedyDamaged, "XAmzContentSHA256Mismatch": remedyDamaged,
	"XAmzContentChecksumMismatch": remedyDamaged,
	"InvalidDigest":               remedyChecksum,
	"AccountProblem":              remedyAccount, "AllAccessDisabled": remedyAccount, "UserSuspended": remedyAccount,
	"UserDisable":   remedyAccount,
	"QuotaExceeded": remedyQuota, "XMinioStorageFull": remedyQuota, "XMinioAdminBucketQuotaExceeded": remedyQuota,
	"CapExceeded":      remedyQuota,
	"MethodNotAllowed": remedyMethod,
}

// Remedy says what to do about a refusal, or is empty if there is nothing but to
// try again.
func (f *failure) Remedy() string {
	if remedy := remedyOf[f.code]; remedy != "" {
		return remedy
	}
	if remedy := f.scheme(); remedy != "" {
		return remedy
	}
	if f.status == 0 {
		return f.unanswered()
	}
	if remedy := f.elsewhere(); remedy != "" {
		return remedy
	}
	switch f.status {
	case http.StatusForbidden, http.StatusUnauthorized:
		return f.denied()
	case http.StatusExpectationFailed:
		return remedyExpect
	case http.StatusMethodNotAllowed:
		return remedyMethod
	case http.StatusBadRequest, http.StatusNotImplemented:
		if remedy := f.refusedHeader(); remedy != "" {
			return remedy
		}
	}
	if errors.Is(f.kind(), store.ErrBlocked) {
		return remedyEndpoint
	}
	return ""
}

// elsewhere is the remedy if the bucket is in another region or the server at
// another address.
func (f *failure) elsewhere() string {
	redirect := f.status >= 300 && f.status < 400
	malformed := f.code == "AuthorizationHeaderMalformed" || f.code == "IllegalLocationConstraintException"
	switch {
	case (redirect || malformed) && f.region != "":
		return "Check the region: set AWS_REGION=" + f.region
	case redirect && f.location != "":
		return "The endpoint redirects to " + f.location + ": if that is the store, set AWS_ENDPOINT_URL_S3=" +
			f.location
	case malformed || f.code == "PermanentRedirect":
		return "Check the region: set AWS_REGION to the bucket's, and let AWS_ENDPOINT_URL_S3, if it is set, name " +
			"the same region"
	case redirect:
		return remedyEndpoint
	}
	return ""
}

// scheme is the remedy if http is spoken to https or the other way round.
func (f *failure) scheme() string {
	var record tls.RecordHeaderError
	switch text := f.text(); {
	case errors.As(f.cause, &record), strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return remedyHTTP
	case strings.Contains(text, `malformed HTTP response "\x15\x03`):
		return remedyHTTPS // a TLS alert
	case f.status == http.StatusBadRequest && toHTTPS(text):
		return remedyHTTPS
	}
	return ""
}

// toHTTPS reports whether a server says that it was spoken to by http at a port for
// https, in the words of Go, nginx, Apache and HAProxy.
func toHTTPS(text string) bool {
	text = strings.ToLower(text)
	for _, words := range []string{
		"http request to an https", "plain http request was sent to https", "speaking plain http to an ssl",
	} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

func (f *failure) text() string {
	if f.cause != nil {
		return f.cause.Error()
	}
	return f.message
}

// unanswered is the remedy if no answer came.
func (f *failure) unanswered() string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		dns       *net.DNSError
		op        *net.OpError
		request   *url.Error
	)
	switch {
	case errors.As(f.cause, &op) && op.Op == "proxyconnect":
		return remedyProxy
	case errors.As(f.cause, &authority):
		return remedyCA
	case errors.As(f.cause, &name):
		return remedyHostname
	case errors.As(f.cause, &invalid) && invalid.Reason == x509.Expired:
		return remedyExpired
	case errors.As(f.cause, &dns) && dns.IsNotFound:
		return remedyResolve
	case errors.Is(f.cause, syscall.ECONNREFUSED):
		return remedyRefused
	case errors.As(f.cause, &request) && strings.HasPrefix(request.URL, "http:") && broken(f.cause):
		return remedyBroken
	}
	return ""
}

func broken(err error) bool {
	for _, way := range []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, way) {
			return true
		}
	}
	return false
}

// denied is the remedy for 403 and 401: rights, or what a policy requires.
func (f *failure) denied() string {
	message := strings.ToLower(f.message)
	switch {
	case f.code == "":
		return remedyProxyAnswer
	case strings.Contains(message, "quota") || strings.Contains(message, "cap exceeded"):
		return remedyQuota
	case f.operation == "GetObject" || f.operation == "HeadObject":
		return "Allow s3:GetObject in the credentials' policy and the bucket's. Without s3:ListBucket the store " +
			"says the same of an object that does not exist"
	case f.operation == "ListObjectsV2":
		return "Allow s3:ListBucket in the credentials' policy and the bucket's"
	case f.operation == "HeadBucket":
		return "Allow s3:ListBucket in the credentials' policy and the bucket's, if that is wanted: uploads do not " +
			"need it"
	case f.operation == "DeleteObject":
		return "Allow s3:DeleteObject in the credentials' policy and the bucket's, if that is wanted: uploads do " +
			"not need it"
	case strings.Contains(message, "kms"):
		return remedyKMS
	case strings.Contains(message, "encrypt"):
		return remedySSE
	case strings.Contains(message, "acl"):
		return remedyACL
	case strings.Contains(message, "worm") || strings.Contains(message, "object lock"):
		return "An object with this key is locked by the bucket's retention: look at what wrote it; logfast never " +
			"overwrites"
	}
	return "Check that the credentials' policy and the bucket's allow s3:PutObject and s3:GetObject here. " +
		"If the bucket's policy requires an ACL or encryption, set LOGFAST_S3_ACL=bucket-owner-full-control (which " +
		"needs s3:PutObjectAcl) or LOGFAST_S3_SSE"
}

// refusedHeader is the remedy if the server refuses a header of a put: 400 or 501.
func (f *failure) refusedHeader() string {
	if f.operation != "" && f.operation != "PutObject" {
		return ""
	}
	switch message := strings.ToLower(f.code + " " + f.message); {
	case strings.Contains(message, "object lock"), strings.Contains(message, "content-md5"):
		return remedyLock
	case strings.Contains(message, "storage class"), strings.Contains(message, "storage-class"):
		return remedyClass
	case strings.Contains(message, "kms"):
		return remedyKMS
	case strings.Contains(message, "encryption"), strings.Contains(message, "sse"):
		return "Set an encryption that the store has, or none, so that the bucket's own applies: LOGFAST_S3_SSE"
	case strings.Contains(message, "acl"), strings.Contains(message, "access control"):
		return remedyNoACL
	case aboutChecksum(message):
		return remedyChecksum
	case aboutCondition(message):
		return remedyCondition
	case f.code != "" || f.status == http.StatusNotImplemented:
		return remedyHeaders
	}
	return ""
}

func aboutChecksum(message string) bool { return strings.Contains(message, "checksum") }

func aboutCondition(message string) bool {
	return strings.Contains(message, "if-none-match") || strings.Contains(message, "condition")
}
