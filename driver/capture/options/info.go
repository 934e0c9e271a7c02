package options

import (
	"fmt"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/settings"
)

// Info is what logfast reads of Docker's description of a container. The names are
// those of moby's daemon/logger.Info, which is sent as JSON.
type Info struct {
	Config             map[string]string // the --log-opt settings
	ContainerID        string
	ContainerName      string // with a slash in front
	ContainerImageID   string
	ContainerImageName string
	ContainerLabels    map[string]string
	ContainerEnv       []string // NAME=value, secrets among them: Rules.Parse keeps what options choose
	ContainerCreated   time.Time
	DaemonName         string
}

// The methods are what a tag's template may use, as in Docker's own drivers.

// ID is the container's id, 12 digits.
func (i Info) ID() string { return i.ContainerID[:min(12, len(i.ContainerID))] }

// FullID is the container's id.
func (i Info) FullID() string { return i.ContainerID }

// Name is the container's name.
func (i Info) Name() string { return strings.TrimPrefix(i.ContainerName, "/") }

// ImageID is the image's id, 12 digits.
func (i Info) ImageID() string {
	id := strings.TrimPrefix(i.ContainerImageID, "sha256:")
	return id[:min(12, len(id))]
}

// ImageFullID is the image's id.
func (i Info) ImageFullID() string { return i.ContainerImageID }

// ImageName is the image's name.
func (i Info) ImageName() string { return i.ContainerImageName }

// Labels that tell a container's app and group where no option does.
const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
	swarmStack     = "com.docker.stack.namespace"
	swarmService   = "com.docker.swarm.service.name"
)

func (i Info) group() string {
	if g := i.Config[settings.OptGroup]; g != "" {
		return g
	}
	if g := i.ContainerLabels[composeProject]; g != "" {
		return clip(g)
	}
	return clip(i.ContainerLabels[swarmStack])
}

// app is the app's name: what the tag makes of it, or what the container is called
// otherwise. An error says why the tag is not used; the name is valid then too.
func (i Info) app() (string, error) {
	tag := i.Config[settings.OptTag]
	if tag == "" {
		return i.ownApp(), nil
	}
	app, err := i.render(tag)
	if err != nil {
		return i.ownApp(), err
	}
	return app, nil
}

// ownApp is the app's name without a tag.
func (i Info) ownApp() string {
	if service := i.ContainerLabels[composeService]; service != "" {
		return clip(i.ContainerLabels[composeProject] + "-" + service)
	}
	if service := i.ContainerLabels[swarmService]; service != "" {
		return clip(service)
	}
	return clip(i.Name())
}

// clip bounds a name that the container brings along, which is no reason to refuse
// the container.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxName)], "") }

// checkName bounds a name that an option sets.
func checkName(s string) error {
	if len(s) > maxName {
		return fmt.Errorf("it has %d bytes; allowed are %d", len(s), maxName)
	}
	return nil
}
