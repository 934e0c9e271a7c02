package capture

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/logfast/logfast/driver/spool"
)

// noticed remembers which containers' notices were logged. A container that is started
// again and again logs them once; docker logs of a stopped container starts its stream,
// too.
type noticed struct {
	mu sync.Mutex
	of map[string][]string // the notices by the container's ID
}

// maxNoticed bounds how many containers are remembered.
const maxNoticed = 10_000

// log logs the notices of a container, if they are not those of its last start.
func (n *noticed) log(log *slog.Logger, of *spool.Stream, notices []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Equal(n.of[of.ID], notices) {
		return
	}
	if n.of == nil || len(n.of) >= maxNoticed {
		n.of = map[string][]string{}
	}
	n.of[of.ID] = notices
	for _, notice := range notices {
		log.Warn("an option of a container is not used as it was given", "container", of.Name, "id", of.ShortID(),
			"notice", notice)
	}
}
