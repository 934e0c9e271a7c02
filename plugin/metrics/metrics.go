// Package metrics exports metrics to Prometheus. Only rare events are counted here.
// Everything else is computed from a [control.Status] at each scrape, so that a
// scrape and "logfast status" agree and a log line costs nothing.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/logfast/logfast/plugin/control"
)

// Metrics is a registry of its own with all that logfast tells.
type Metrics struct {
	registry      *prometheus.Registry
	errorToObject prometheus.Histogram
}

// errorBuckets, in seconds, are finest where a quiet period of 30 s ends, and
// go on to where a store was gone for hours.
var errorBuckets = []float64{1, 2, 5, 10, 20, 30, 31, 32, 35, 40, 60, 120, 300, 600, 1800, 3600, 4 * 3600}

// New makes the metrics of the plugin whose status is given.
func New(status func() control.Status) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		errorToObject: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "logfast_error_to_object_seconds", Buckets: errorBuckets,
			Help: "From the last server error in a segment, by Docker's time, to its object in the store. The quiet " +
				"period is part of it.",
		}),
	}
	m.registry.MustRegister(
		m.errorToObject, collector{status},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Shipped notes that a segment with errors is in the store.
func (m *Metrics) Shipped(sinceLastError time.Duration) {
	m.errorToObject.Observe(sinceLastError.Seconds())
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
