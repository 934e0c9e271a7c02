package s3

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const examples = "../../../examples/aws/"

// rights are what IAM calls the rights that S3's operations take:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var rights = map[string]string{
	"PutObject":     "s3:PutObject",
	"HeadObject":    "s3:GetObject",
	"GetObject":     "s3:GetObject",
	"ListObjectsV2": "s3:ListBucket",
	"HeadBucket":    "s3:ListBucket",
	"DeleteObject":  "s3:DeleteObject",
}

// The example policies allow what the code calls and nothing else. A new call
// of the client fails here until rights and examples/aws know it.
func TestPoliciesAreTheCallsOfTheCode(t *testing.T) {
	host, desk := map[string]bool{}, map[string]bool{}
	for function, operations := range clientCalls(t) {
		for _, operation := range operations {
			right, known := rights[operation]
			if !known {
				t.Errorf("%s calls %s: say in rights of this test what right it takes, and allow that in examples/aws", function, operation)
			}
			switch function {
			case "send", "head":
				host[right] = true
			case "Get", "Head", "List": // and a host, with read-archive=true
				desk[right] = true
			case "ServerTime", "Delete": // of logfast check: a refusal has the time too, and its object may stay
			default:
				t.Errorf("%s calls %s: say in this test whether a host does so or a desk", function, operation)
			}
		}
	}
	for file, want := range map[string]map[string]bool{"host-policy.json": host, "desk-policy.json": desk} {
		got := map[string]bool{}
		for _, s := range readPolicy(t, file).Statement {
			for _, action := range s.Action {
				got[action] = true
				if wanted := map[bool]string{true: "arn:aws:s3:::my-logs", false: "arn:aws:s3:::my-logs/*"}[action == "s3:ListBucket"]; s.Resource != wanted || s.Effect != "Allow" {
					t.Errorf("%s: %s is for %s, not %s", file, action, s.Resource, wanted)
				}
			}
		}
		for action := range want {
			if !got[action] {
				t.Errorf("%s does not allow %s, which the code needs", file, action)
			}
		}
		for action := range got {
			if !want[action] {
				t.Errorf("%s allows %s, which nothing needs", file, action)
			}
		}
	}
}

// The lifecycle example is what S3's API takes, in its own words.
func TestLifecycleIsOfTheAPI(t *testing.T) {
	file, err := os.Open(examples + "lifecycle.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rules struct{ Rules []types.LifecycleRule }
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	prefixes := []string{}
	for _, r := range rules.Rules {
		prefixes = append(prefixes, aws.ToString(r.Filter.Prefix))
		if !slices.Contains(r.Status.Values(), r.Status) {
			t.Errorf("%s: status %s", aws.ToString(r.ID), r.Status)
		}
		days := int32(0)
		for _, step := range r.Transitions {
			if !slices.Contains(step.StorageClass.Values(), step.StorageClass) || aws.ToInt32(step.Days) <= days {
				t.Errorf("%s: %s after %d days", aws.ToString(r.ID), step.StorageClass, aws.ToInt32(step.Days))
			}
			days = aws.ToInt32(step.Days)
		}
		if r.Expiration != nil && aws.ToInt32(r.Expiration.Days) <= days {
			t.Errorf("%s: gone after %d days, before its last storage class", aws.ToString(r.ID), aws.ToInt32(r.Expiration.Days))
		}
	}
	if want := []string{"logs/", "incidents/", ""}; !slices.Equal(prefixes, want) {
		t.Errorf("rules for the prefixes %q, not %q", prefixes, want)
	}
	_ = awss3.PutBucketLifecycleConfigurationInput{LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules.Rules}}
}

// policy is a policy document, as far as the examples go.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid, Effect string
	Principal   any `json:",omitempty"`
	Action      oneOrMore
	Resource    string
}

type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(o))
}

func readPolicy(t *testing.T, file string) policy {
	t.Helper()
	data, err := os.ReadFile(examples + file)
	if err != nil {
		t.Fatal(err)
	}
	var p policy
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return p
}

// clientCalls are the operations that each function of this package asks the
// SDK's client for.
func clientCalls(t *testing.T) map[string][]string {
	t.Helper()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string][]string{}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				method, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if client, ok := method.X.(*ast.SelectorExpr); ok && client.Sel.Name == "client" {
					calls[function.Name.Name] = append(calls[function.Name.Name], method.Sel.Name)
				}
				return true
			})
		}
	}
	if len(calls) < 4 {
		t.Fatalf("only %d functions were found to call the client", len(calls))
	}
	return calls
}
