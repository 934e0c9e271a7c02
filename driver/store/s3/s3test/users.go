package s3test

import (
	"crypto/rand"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// StartWithUsers is Start for a server that has other accounts than the one
// that may do everything: see CreateUser.
func StartWithUsers(t testing.TB) *Server {
	t.Helper()
	return start(t, "http", &Server{}, "--iam-dir", t.TempDir())
}

// CreateUser makes an account that may do nothing but what bucket policies
// allow it, and returns its keys.
func (s *Server) CreateUser(t testing.TB) (accessKey, secretKey string) {
	t.Helper()
	accessKey, secretKey = rand.Text(), rand.Text()
	out, err := exec.Command(s.program, "admin", "--access", s.AccessKey, "--secret", s.SecretKey, "--region", s.Region,
		"--endpoint-url", s.Endpoint, "create-user", "--access", accessKey, "--secret", secretKey, "--role",
		"user").CombinedOutput()
	if err != nil {
		t.Fatalf("create a user: %v\n%s", err, out)
	}
	return accessKey, secretKey
}

// PutBucketPolicy puts a policy document in the place of the bucket's.
func (s *Server) PutBucketPolicy(t testing.TB, bucket, document string) {
	t.Helper()
	client, end := s.client(t)
	defer end()
	if _, err := client.PutBucketPolicy(t.Context(),
		&awss3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(document)}); err != nil {
		t.Fatalf("put the policy of the bucket %s: %v", bucket, err)
	}
}
