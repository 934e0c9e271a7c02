package s3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
)

// processError says that the program of credential_process cannot be run here.
type processError struct {
	what   string
	remedy string
}

func (e *processError) Error() string { return e.what }

// direct returns the credentials of cfg, with credential_process run without a
// shell: a plugin has none. A command that needs one is run by it if there is one.
func direct(cfg aws.Config) aws.CredentialsProvider {
	cache, ok := cfg.Credentials.(*aws.CredentialsCache)
	if !ok || !cache.IsCredentialsProvider(&processcreds.Provider{}) {
		return cfg.Credentials
	}
	for _, source := range cfg.ConfigSources {
		shared, ok := source.(config.SharedConfig)
		if !ok || shared.CredentialProcess == "" {
			continue
		}
		if words := words(shared.CredentialProcess); words == nil {
			if _, err := exec.LookPath("sh"); err == nil {
				return cfg.Credentials
			}
		}
		return aws.NewCredentialsCache(process(shared.CredentialProcess))
	}
	return cfg.Credentials
}

// process runs a command of credential_process without a shell.
func process(command string) aws.CredentialsProvider {
	build := processcreds.NewCommandBuilderFunc(func(ctx context.Context) (*exec.Cmd, error) {
		words := words(command)
		if words == nil {
			return nil, &processError{
				what: "the credential_process needs a shell, because of the characters in it that only a shell " +
					"understands, and there is none here (a plugin has no programs but its own)",
				remedy: "Write it without a shell, as the path of one program below /etc/logfast and its " +
					"arguments, or put keys into /etc/logfast/credentials",
			}
		}
		program, err := exec.LookPath(words[0])
		if err != nil {
			return nil, &processError{
				what: fmt.Sprintf("the credential_process %s cannot be run: %v. A plugin sees none of the "+
					"host's programs, "+
					"only the directory that is mounted at /etc/logfast", words[0], reason(err)),
				remedy: "Put a program that needs no libraries (statically linked) into the host's /etc/logfast " +
					"and name it /etc/logfast/PROGRAM in credential_process; " +
					"or run it on the host, from a timer, and let it write /etc/logfast/credentials",
			}
		}
		cmd := exec.CommandContext(ctx, program, words[1:]...) //nolint:gosec // it is what the operator's file names
		cmd.Env = os.Environ()
		return cmd, nil
	})
	return processcreds.NewProviderCommand(build)
}

func reason(err error) error {
	var lookup *exec.Error
	if errors.As(err, &lookup) {
		return lookup.Err
	}
	return err
}

// words are the words of a command that needs no shell: separated by blanks, with
// quotes around those that have blanks in them. Nil means that it needs one, or that
// it is empty.
func words(command string) []string {
	const meta = "|&;<>()$`\\*?[]{}~#!\n"
	var all []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range command {
		switch {
		case quote == '\'' && r != '\'': // everything is itself
			word.WriteRune(r)
		case quote != 0 && r == quote:
			quote = 0
		case strings.ContainsRune(meta, r) && (quote == 0 || strings.ContainsRune("$`\\!\n", r)):
			return nil
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ' || r == '\t':
			if begun {
				all = append(all, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	if quote != 0 || len(all) == 0 || strings.Contains(all[0], "=") {
		return nil
	}
	return all
}
