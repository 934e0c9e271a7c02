package s3test

// Imitated is a store that a test cannot have, as its documentation describes it.
type Imitated struct {
	Name       string
	Deviations Deviations
	Options    map[string]string // settings that it needs: LOGFAST_S3_ACL, LOGFAST_S3_SSE
	Learns     []string          // words of what logfast learns of it
}

// Stores are the imitated stores. Each names the page that it is written after.
var Stores = []Imitated{
	{Name: "AWS"}, // "PutObject", Amazon S3 API Reference
	{
		// "Simple migration from Amazon S3 to Cloud Storage" and "Request
		// preconditions", Google Cloud documentation: the front end rewrites
		// Accept-Encoding; a put has x-goog-if-generation-match as precondition,
		// and does not look at If-None-Match.
		Name:       "Google Cloud Storage",
		Deviations: Deviations{AcceptEncoding: "identity,gzip(gfe)", IgnoreChecksum: true, IgnoreCondition: true},
		Learns:     []string{"ignores If-None-Match"},
	},
	{
		// "S3-Compatible API", Backblaze B2 Cloud Storage Docs: requests with
		// headers that are not supported are refused.
		Name: "Backblaze B2",
		Deviations: Deviations{
			Checksum: Refusal{
				400, "InvalidArgument", "Unsupported header 'x-amz-checksum-sha256' received for this API call.",
			},
			Condition: Refusal{
				501, "NotImplemented", "A header you provided implies functionality that is not implemented.",
			},
		},
		Learns: []string{"Content-MD5", "refuses If-None-Match"},
	},
	{
		// "Compatibility with Amazon S3", Alibaba Cloud OSS: PutObject has
		// x-oss-forbid-overwrite, and If-None-Match is not implemented.
		Name: "Alibaba OSS",
		Deviations: Deviations{
			Condition: Refusal{
				501, "NotImplemented", "A header you provided implies functionality that is not implemented.",
			},
			IgnoreChecksum: true,
		},
		Learns: []string{"refuses If-None-Match"},
	},
	{
		// "S3 API compatibility", Cloudflare R2 docs: conditional PutObject is
		// there, ACLs and storage classes of AWS are not.
		Name: "Cloudflare R2",
		Deviations: Deviations{
			NoACL:        Refusal{501, "NotImplemented", "Header 'x-amz-acl' with value 'private' not implemented"},
			StorageClass: Refusal{400, "InvalidStorageClass", "The storage class you specified is not valid."},
		},
	},
	{
		// "Wasabi API Guide": additional checksums and conditional writes are
		// not among what is supported.
		Name:       "Wasabi",
		Deviations: Deviations{IgnoreChecksum: true, IgnoreCondition: true},
		Learns:     []string{"ignores If-None-Match"},
	},
	{
		// "Ceph Object Gateway S3 API", Put Object of releases before Squid: no
		// checksums; listings may have shorter pages than asked for.
		Name:       "Ceph",
		Deviations: Deviations{IgnoreChecksum: true, MaxKeys: 3},
	},
	{
		// "Object Locking", MinIO documentation of releases before 2022, which
		// wanted Content-MD5.
		Name: "MinIO with Object Lock",
		Deviations: Deviations{
			IgnoreChecksum: true, Versioned: true,
			NeedsMD5: Refusal{
				400, "InvalidRequest",
				"Content-MD5 HTTP header is required for Put Object requests with Object Lock parameters",
			},
		},
		Learns: []string{"Content-MD5"},
	},
	{
		// "S3 compatibility status", Garage documentation: no versioning, ACLs
		// or conditional writes before v2; the ETag need not be an MD5.
		Name:       "Garage",
		Deviations: Deviations{IgnoreChecksum: true, IgnoreCondition: true, OpaqueETag: true},
		Learns:     []string{"ignores If-None-Match"},
	},
	{
		// "rclone serve s3", rclone documentation.
		Name:       "rclone",
		Deviations: Deviations{IgnoreChecksum: true, IgnoreCondition: true},
		Learns:     []string{"ignores If-None-Match"},
	},
	{
		// A server or proxy without 100-continue: RFC 9110, 10.1.1.
		Name:       "no Expect",
		Deviations: Deviations{Expect: true},
	},
	{
		// "Controlling ownership of objects and disabling ACLs for your bucket",
		// Amazon S3 User Guide: a policy that requires the ACL.
		Name:       "AWS, ACL required",
		Deviations: Deviations{NeedsACL: "bucket-owner-full-control"},
		Options:    map[string]string{"LOGFAST_S3_ACL": "bucket-owner-full-control"},
	},
	{
		// "Using server-side encryption with Amazon S3 managed keys", Amazon S3
		// User Guide: a policy that requires the header.
		Name:       "AWS, SSE required",
		Deviations: Deviations{NeedsSSE: "AES256"},
		Options:    map[string]string{"LOGFAST_S3_SSE": "AES256"},
	},
	{
		// "Considerations for Object Lock", Amazon S3 User Guide.
		Name: "AWS, Object Lock",
		Deviations: Deviations{
			Versioned: true, OpaqueETag: true,
			NeedsSum: Refusal{400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put " +
				"Object requests with Object Lock parameters"},
		},
	},
	{
		// "How S3 Versioning works", Amazon S3 User Guide.
		Name:       "AWS, versioned",
		Deviations: Deviations{Versioned: true},
	},
	{
		// A server for which a delete marker is an object.
		Name:       "versioned, markers count",
		Deviations: Deviations{Versioned: true, MarkerIsTaken: true},
	},
}
