package s3

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// CutARN splits the rest of an address s3://… that begins with the ARN of an access
// point into the ARN, which stands for the bucket, and the prefix. ok says whether
// it begins with "arn:" at all. The forms are those of
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html:
//
//	arn:aws:s3:eu-central-1:123456789012:accesspoint/name
//	arn:aws:s3::123456789012:accesspoint/alias.mrap
//	arn:aws:s3-outposts:eu-central-1:123456789012:outpost/op-1/accesspoint/name
func CutARN(address string) (bucket, prefix string, ok bool, err error) {
	if !strings.HasPrefix(address, "arn:") {
		return "", "", false, nil
	}
	parsed, err := arn.Parse(address)
	if err != nil {
		return "", "", true, errARN
	}
	separators := func(r rune) bool { return r == '/' || r == ':' }
	parts := strings.FieldsFunc(parsed.Resource, separators)
	var n int // parts of the resource that belong to the ARN
	switch {
	case parsed.Service == "s3" && len(parts) >= 2 && parts[0] == "accesspoint":
		n = 2
	case parsed.Service == "s3-outposts" && len(parts) >= 4 && parts[0] == "outpost" && parts[2] == "accesspoint":
		n = 4
	default:
		return "", "", true, errARN
	}
	rest := parsed.Resource
	for range n {
		rest = strings.TrimLeftFunc(rest, separators)
		if at := strings.IndexFunc(rest, separators); at >= 0 {
			rest = rest[at:]
		} else {
			rest = ""
		}
	}
	return strings.TrimSuffix(address, rest), strings.Trim(rest, "/"), true, nil
}

var errARN = errors.New("write the ARN of an access point, such as " +
	"s3://arn:aws:s3:eu-central-1:123456789012:accesspoint/NAME/PREFIX, " +
	"or its alias, s3://NAME-…-s3alias/PREFIX; for a bucket write its name, s3://BUCKET/PREFIX")

// arnRegion is the region of an ARN, or empty.
func arnRegion(bucket string) string {
	parsed, err := arn.Parse(bucket)
	if err != nil {
		return ""
	}
	return parsed.Region
}
