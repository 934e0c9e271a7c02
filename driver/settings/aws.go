package settings

// The variables of the store that code refers to.
const (
	PathStyle    = "LOGFAST_S3_PATH_STYLE"
	SSE          = "LOGFAST_S3_SSE"
	SSEKMSKeyID  = "LOGFAST_S3_SSE_KMS_KEY_ID"
	StorageClass = "LOGFAST_S3_STORAGE_CLASS"
	ACL          = "LOGFAST_S3_ACL"

	Region      = "AWS_REGION"
	RegionOld   = "AWS_DEFAULT_REGION"
	Endpoint    = "AWS_ENDPOINT_URL_S3"
	EndpointAll = "AWS_ENDPOINT_URL"
	CAFile      = "AWS_CA_BUNDLE"

	CredentialsFile = "AWS_SHARED_CREDENTIALS_FILE"
	ConfigFile      = "AWS_CONFIG_FILE"
	TokenFile       = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
	Token           = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
)

// The AWS SDK's files, as the plugin sees them.
const (
	CredentialsPath = ConfigDir + "/credentials"
	ConfigPath      = ConfigDir + "/config"
)

// StorageClasses, Encryptions and ACLs are those that S3 knows for a put. No ACL is
// among them that makes logs public.
var (
	StorageClasses = []string{
		"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE",
		"REDUCED_REDUNDANCY", "EXPRESS_ONEZONE",
	}
	Encryptions = []string{"AES256", "aws:kms", "aws:kms:dsse"}
	ACLs        = []string{"private", "bucket-owner-full-control", "bucket-owner-read", "aws-exec-read"}
)

// awsTable has the settings of S3, and the variables that the AWS SDK reads.
var awsTable = []Setting{
	{
		Variable: PathStyle, Default: "auto", Values: []string{"true", "false", "auto"}, Example: "false",
		IfWrong: HoldUploads,
		Help: "Whether the bucket is in the URL's path instead of its host name; auto means true if an " +
			"endpoint is set.",
	},
	{
		Variable: SSE, Unset: "the bucket's", Values: Encryptions, Example: "aws:kms", IfWrong: HoldUploads,
		Help: "Server-side encryption of objects.",
	},
	{
		Variable: SSEKMSKeyID, Unset: "the account's", Kind: "key id, ARN", Example: "alias/logs",
		IfWrong: HoldUploads,
		Help:    "KMS key for `aws:kms`.",
	},
	{
		Variable: StorageClass, Unset: "the bucket's", Values: StorageClasses, Example: "STANDARD_IA",
		IfWrong: HoldUploads,
		Help:    "Storage class of objects.",
	},
	{
		Variable: ACL, Unset: "none is sent", Values: ACLs, Example: "bucket-owner-full-control",
		IfWrong: HoldUploads,
		Help:    "Canned ACL of objects, for a bucket whose policy requires one; it needs the right `s3:PutObjectAcl`.",
	},
	{
		Variable: Region, Unset: "from `/etc/logfast/config`", Kind: "text", Example: "eu-central-1",
		IfWrong: HoldUploads,
		Help:    "Region of the bucket.",
	},
	{
		Variable: RegionOld, Unset: "none", Kind: "text", Example: "eu-central-1", IfWrong: HoldUploads,
		Help: "Region of the bucket, if `AWS_REGION` is not set.",
	},
	{
		Variable: Endpoint, Unset: "AWS", Kind: "URL", Example: "https://s3.example.com", IfWrong: HoldUploads,
		Help: "Endpoint of any store that speaks S3.",
	},
	{
		Variable: EndpointAll, Unset: "AWS", Kind: "URL", Example: "https://s3.example.com", IfWrong: HoldUploads,
		Help: "Endpoint of all AWS services; for S3, if `AWS_ENDPOINT_URL_S3` is not set.",
	},
	{
		Variable: CAFile, Unset: "public roots, built in", Kind: "path", Example: "/etc/logfast/ca.pem",
		IfWrong: HoldUploads,
		Help:    "PEM file of the endpoint's certificate authority, which replaces the public ones.",
	},
	sdk("AWS_ACCESS_KEY_ID", "Access key ID.").keep(NoSecret, CredentialsPath),
	sdk("AWS_SECRET_ACCESS_KEY", "Secret access key.").keep(IsSecret, CredentialsPath),
	sdk("AWS_SESSION_TOKEN", "Session token of temporary credentials.").keep(IsSecret, CredentialsPath),
	sdk("AWS_PROFILE", "Profile in the shared files."),
	sdk(CredentialsFile, "Shared credentials file.").value(CredentialsPath),
	sdk(ConfigFile, "Shared configuration file.").value(ConfigPath),
	sdk("AWS_ROLE_ARN", "Role to assume with a web identity."),
	sdk("AWS_ROLE_SESSION_NAME", "Session name for the role."),
	sdk("AWS_ENDPOINT_URL_STS", "Endpoint of the Security Token Service, for roles and web identities."),
	sdk("AWS_STS_REGIONAL_ENDPOINTS", "Which endpoint of the Security Token Service is used: `regional` or "+
		"`legacy`."),
	sdk("AWS_WEB_IDENTITY_TOKEN_FILE", "Web identity token file, below `/etc/logfast`."),
	sdk("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "Path below the credentials service of ECS."),
	sdk("AWS_CONTAINER_CREDENTIALS_FULL_URI", "URL of a credentials service, such as that of EKS Pod Identity "+
		"or Greengrass."),
	sdk(TokenFile, "File with the token for that service, below `/etc/logfast`."),
	sdk(Token, "Token for that service.").keep(IsSecret, ConfigDir+"/token"),
	sdk("AWS_EC2_METADATA_DISABLED", "`true`: never ask the instance metadata service for credentials."),
	sdk("AWS_EC2_METADATA_V1_DISABLED", "`true`: never use version 1 of the instance metadata service."),
	sdk("AWS_EC2_METADATA_SERVICE_ENDPOINT", "URL of the instance metadata service."),
	sdk("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IP version of the instance metadata service: `IPv4` or `IPv6`."),
	sdk("AWS_USE_DUALSTACK_ENDPOINT", "`true`: use the AWS endpoints that have IPv6 too."),
	sdk("AWS_USE_FIPS_ENDPOINT", "`true`: use the FIPS endpoints of AWS."),
	sdk("HTTPS_PROXY", "Proxy for https endpoints.").keep(InURL, ""),
	sdk("HTTP_PROXY", "Proxy for http endpoints.").keep(InURL, ""),
	sdk("NO_PROXY", "Hosts that need no proxy."),
}

// sdk is the row of a variable that logfast itself does not read.
func sdk(variable, help string) Setting {
	return Setting{Variable: variable, Help: help, SDK: true}
}

func (s Setting) keep(secret Secret, where string) Setting {
	s.Secret, s.Keep = secret, where
	return s
}

func (s Setting) value(value string) Setting {
	s.Default = value
	return s
}
