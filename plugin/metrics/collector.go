package metrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/logfast/logfast/plugin/control"
)

// collector makes metrics of a status.
type collector struct{ status func() control.Status }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("logfast_"+name, help, labels, nil)
}

var (
	build    = desc("build_info", "1, with the version of logfast.", "version")
	health   = desc("healthy", "1 while logfast does its work, 0 where /healthz says that it does not.")
	streams  = desc("streams", "Containers' streams that are being read.")
	troubled = desc("streams_in_trouble", "Streams that cannot write, because the disk refuses.")
	reattach = desc("reattached_streams_total", "Streams of an earlier process that were taken up again.")
	events   = desc("fast_track_events", "Open events of the fast track: errors whose segments are not sealed yet.")
	lines    = desc("lines_total", "Lines written to segments.")
	bytes    = desc("bytes_total", "Bytes of lines written to segments, as records.")
	errors   = desc("errors_detected_total", "Lines found to report a server error.")
	resyncs  = desc("frame_resyncs_total",
		"How often bytes in a FIFO were no frame and were passed over to the next one.")
	lostLines = desc("lost_lines_total", "Lines lost, by reason.", "reason")
	lostBytes = desc("lost_bytes_total", "Bytes lost, by reason.", "reason")
	seals     = desc("seals_total", "Segments sealed, by reason.", "reason")

	streamLines = desc("stream_lines_total", "Lines written to segments, of a container that is being read.",
		"container", "id")
	streamBytes = desc("stream_bytes_total", "Bytes of lines written to segments, of a container that is being read.",
		"container", "id")
	streamErrors = desc("stream_errors_detected_total",
		"Lines found to report a server error, of a container that is being read.", "container", "id")

	pendingSegments = desc("pending_segments", "Segments that are sealed and not in the store.")
	pendingBytes    = desc("pending_bytes", "Bytes of the files of segments that are sealed and not in the store.")
	pendingAge      = desc("pending_oldest_age_seconds",
		"Age of the first line of the oldest segment that is sealed and not in the store; 0 where none is.")
	attempts = desc("upload_attempts_total", "Attempts to put an object, by result: ok; failed, which may pass; "+
		"blocked, until somebody changes something; local, where the segment or the disk is at fault.", "result")
	uploadedBytes = desc("uploaded_bytes_total", "Bytes of objects put into the store.")
	lastUpload    = desc("last_upload_timestamp_seconds",
		"When a segment was uploaded last, in seconds since 1970; 0 before the first.")
	stalled = desc("upload_stalled_seconds", "How long segments have been pending without one upload.")
	blocked = desc("upload_blocked", "1 where the store refuses until somebody changes something.")

	notified = desc("notifications_total",
		"Attempts to notify somebody of incidents, by kind of target and result: ok, failed.", "target", "result")
	notifyWaiting = desc("notifications_waiting", "Incidents that a kind of target is still to be told of.", "target")
	notifyHeld    = desc("notifications_held", "Incidents that a kind of target is still to be told of, by why they "+
		"wait: next, rate, folded, refused, failed.", "target", "why")
	notifyGivenUp = desc("notifications_given_up_total",
		"Incidents that a kind of target was not told of, after all attempts.", "target")

	diskUsed   = desc("disk_used_bytes", "Bytes of the containers' files in the spool.")
	diskBudget = desc("disk_budget_bytes", "Bytes that these may have (LOGFAST_MAX_DISK); 0 is no bound.")
	diskFree   = desc("disk_free_bytes", "Bytes that are free on the spool's file system.")
	inodesFree = desc("disk_free_inodes",
		"Inodes that are free on the spool's file system; absent if it has no fixed number.")
)

var all = []*prometheus.Desc{
	build, health, streams, troubled, reattach, events, lines, bytes, errors, resyncs, lostLines, lostBytes, seals,
	streamLines, streamBytes, streamErrors, pendingSegments, pendingBytes, pendingAge, attempts, uploadedBytes,
	lastUpload, stalled, blocked, notified, notifyWaiting, notifyHeld, notifyGivenUp, diskUsed, diskBudget, diskFree,
	inodesFree,
}

// Describe implements prometheus.Collector.
func (collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range all {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	s := c.status()
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(build, 1, s.Version)
	gauge(health, one(s.Health != control.Unhealthy))
	gauge(streams, float64(len(s.Streams)))
	gauge(events, float64(len(s.Events)))
	count(reattach, s.Reattached)
	count(lines, s.Captured.Lines)
	count(bytes, s.Captured.Bytes)
	count(errors, s.Captured.Errors)
	count(resyncs, s.Captured.Resyncs)
	for _, l := range s.Captured.Lost {
		count(lostLines, l.Lines, l.Reason)
		count(lostBytes, l.Bytes, l.Reason)
	}
	for reason, n := range s.Seals {
		count(seals, n, reason)
	}
	c.streams(s.Streams, count)
	c.targets(s.Targets, count, gauge)
	trouble := 0
	for i := range s.Streams {
		if s.Streams[i].Trouble != "" {
			trouble++
		}
	}
	gauge(troubled, float64(trouble))

	gauge(pendingSegments, float64(s.Pending.Segments))
	gauge(pendingBytes, float64(s.Pending.Bytes))
	age := time.Duration(0)
	if !s.Pending.Oldest.IsZero() {
		age = s.Now.Sub(s.Pending.Oldest)
	}
	gauge(pendingAge, max(age, 0).Seconds())
	for result, n := range s.Uploads.Attempts {
		count(attempts, n, result)
	}
	count(uploadedBytes, s.Uploads.Bytes)
	last := 0.0
	if !s.Uploads.Last.IsZero() {
		last = float64(s.Uploads.Last.UnixMilli()) / 1000
	}
	gauge(lastUpload, last)
	gauge(stalled, s.Uploads.Stalled)
	gauge(blocked, one(s.Uploads.Blocked != ""))

	gauge(diskUsed, float64(s.Disk.Used))
	gauge(diskBudget, float64(s.Disk.Budget))
	gauge(diskFree, float64(s.Disk.Free))
	if s.Disk.Inodes > 0 {
		gauge(inodesFree, float64(s.Disk.InodesFree))
	}
}

// targets adds up what targets of one kind do: their names may be long, and are
// in the status.
func (collector) targets(all []control.Target, count func(*prometheus.Desc, int64, ...string),
	gauge func(*prometheus.Desc, float64, ...string)) {
	kinds := map[string]control.Target{}
	type held struct{ kind, why string }
	waits := map[held]int{}
	for _, t := range all {
		sum := kinds[t.Kind]
		sum.Messages, sum.Failed, sum.GivenUp, sum.Waiting = sum.Messages+
			t.Messages, sum.Failed+t.Failed, sum.GivenUp+t.GivenUp, sum.Waiting+t.Waiting
		kinds[t.Kind] = sum
		for _, w := range t.Waits {
			waits[held{t.Kind, w.Why}] += w.Events
		}
	}
	for h, n := range waits {
		gauge(notifyHeld, float64(n), h.kind, h.why)
	}
	for kind, sum := range kinds {
		count(notified, sum.Messages, kind, "ok")
		count(notified, sum.Failed, kind, "failed")
		count(notifyGivenUp, sum.GivenUp, kind)
		gauge(notifyWaiting, float64(sum.Waiting), kind)
	}
}

// streams tells each container's counts. A container has two streams for a
// moment, where Docker reads a stopped one's logs while it starts.
func (collector) streams(streams []control.Stream, count func(d *prometheus.Desc, n int64, labels ...string)) {
	sums := map[[2]string]control.Counts{}
	for _, s := range streams {
		at := [2]string{strings.ToValidUTF8(s.Container, "_"), strings.ToValidUTF8(s.ID, "_")}
		sum := sums[at]
		sum.Lines += s.Lines
		sum.Bytes += s.Bytes
		sum.Errors += s.Errors
		sums[at] = sum
	}
	for at, sum := range sums {
		count(streamLines, sum.Lines, at[0], at[1])
		count(streamBytes, sum.Bytes, at[0], at[1])
		count(streamErrors, sum.Errors, at[0], at[1])
	}
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
