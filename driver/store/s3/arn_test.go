package s3

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestAccessPoint_CutARN(t *testing.T) {
	const point = "arn:aws:s3:eu-central-1:123456789012:accesspoint/logs"
	for address, want := range map[string]struct {
		bucket, prefix string
		ok, fails      bool
	}{
		"logs/web":          {"", "", false, false},
		point:               {point, "", true, false},
		point + "/":         {point, "", true, false},
		point + "/web/prod": {point, "web/prod", true, false},
		"arn:aws:s3:eu-central-1:123456789012:accesspoint:logs/web":                    {"arn:aws:s3:eu-central-1:123456789012:accesspoint:logs", "web", true, false},
		"arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/web/":                 {"arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", "web", true, false},
		"arn:aws-cn:s3-outposts:cn-north-1:123456789012:outpost/op-1/accesspoint/a/w/": {"arn:aws-cn:s3-outposts:cn-north-1:123456789012:outpost/op-1/accesspoint/a", "w", true, false},
		"arn:aws:s3:::my-logs/web":                         {"", "", true, true},
		"arn:aws:s3:eu-central-1:123456789012:accesspoint": {"", "", true, true},
		"arn:aws:sqs:eu-central-1:123456789012:logs":       {"", "", true, true},
		"arn:aws": {"", "", true, true},
	} {
		bucket, prefix, ok, err := CutARN(address)
		if bucket != want.bucket || prefix != want.prefix || ok != want.ok || (err != nil) != want.fails {
			t.Errorf("%s: %q, %q, %v, %v", address, bucket, prefix, ok, err)
		}
		if err != nil && !strings.Contains(err.Error(), "s3://arn:aws:s3:") {
			t.Errorf("%s: %v does not say what to write", address, err)
		}
	}
}

// A put through an access point goes to the point's host and is signed for its
// region; one by an alias, to the alias as to a bucket.
func TestAccessPoint_Requests(t *testing.T) {
	for bucket, want := range map[string]struct{ host, region string }{
		"arn:aws:s3:eu-west-3:123456789012:accesspoint/logs": {"logs-123456789012.s3-accesspoint.eu-west-3.amazonaws.com", "/eu-west-3/s3/"},
		"logs-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias":    {"logs-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias.s3.us-east-1.amazonaws.com", "/us-east-1/s3/"},
	} {
		for _, region := range []string{"", "us-east-1"} {
			if region == "" && !strings.HasPrefix(bucket, "arn:") {
				continue
			}
			setKeys(t)
			host, path, signed := "", "", ""
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				host, path, signed = r.Host, r.URL.Path, r.Header.Get("Authorization")
				take(w, r)
			})
			// The SDK knows the name; the test the address.
			t.Setenv("AWS_REGION", region)
			s := open(t, Options{Bucket: bucket, Prefix: "p/", Region: region})
			s.transport.DialTLSContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
			}
			if err := putData(t, s); err != nil {
				t.Errorf("%s: %v", bucket, err)
			}
			if host != want.host || path != "/p/key" || !strings.Contains(signed, want.region) {
				t.Errorf("%s: asked %s%s, signed %s", bucket, host, path, signed)
			}
		}
	}
}
