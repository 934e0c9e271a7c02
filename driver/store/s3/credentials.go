package s3

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// chain finds credentials as the SDK's default chain does, and finds them
// anew after the store has refused: the SDK reads its files only once, and the
// operator who puts the right keys there expects that to be enough.
type chain struct {
	look func(context.Context) (aws.CredentialsProvider, error)

	mu    sync.Mutex
	found aws.CredentialsProvider // guarded by mu; nil: look again
}

// Retrieve returns credentials, or an error that is a *credentialsError.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	provider, err := c.provider(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err}
	}
	value, err := provider.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err}
	}
	return value, nil
}

func (c *chain) provider(ctx context.Context) (aws.CredentialsProvider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil {
		provider, err := c.look(ctx)
		if err != nil {
			return nil, err
		}
		c.found = provider
	}
	return c.found, nil
}

// forget makes the next Retrieve look again.
func (c *chain) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = nil
}

// credentialsError: no credentials could be had.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string {
	return "no usable credentials: " + e.err.Error() + ". " + e.Remedy() + "."
}

// Remedy says where credentials come from.
func (e *credentialsError) Remedy() string {
	var process *processError
	if errors.As(e.err, &process) {
		return process.remedy
	}
	return "Put aws_access_key_id and aws_secret_access_key into the credentials file, " +
		"/etc/logfast/credentials on the host, " +
		"below [default]; it is read again before the next attempt. Or give this machine a role"
}
func (e *credentialsError) Unwrap() error { return e.err }

// passes says that whoever gives out credentials could not be reached or was
// busy. The instance's metadata service is the last in the chain: where it does
// not answer, there is none.
func (e *credentialsError) passes() bool {
	var operation *smithy.OperationError
	if !errors.As(e.err, &operation) || operation.Service() == "ec2imds" {
		return false
	}
	var unsent *smithyhttp.RequestSendError
	if errors.As(e.err, &unsent) {
		return true
	}
	var answer *smithyhttp.ResponseError
	return errors.As(e.err, &answer) &&
		(answer.HTTPStatusCode() >= 500 || answer.HTTPStatusCode() == http.StatusTooManyRequests)
}
