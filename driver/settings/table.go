package settings

// The variables that code refers to.
const (
	Spool      = "LOGFAST_SPOOL"
	Store      = "LOGFAST_STORE"
	Key        = "LOGFAST_KEY"
	Host       = "LOGFAST_HOST"
	Owner      = "LOGFAST_OWNER"
	Format     = "LOGFAST_FORMAT"
	Scope      = "LOGFAST_FAST_TRACK_SCOPE"
	Quiet      = "LOGFAST_QUIET_PERIOD"
	MaxDelay   = "LOGFAST_MAX_DELAY"
	MaxSize    = "LOGFAST_MAX_SIZE"
	Fsync      = "LOGFAST_FSYNC"
	Detect     = "LOGFAST_DETECT"
	Status     = "LOGFAST_STATUS"
	Pattern    = "LOGFAST_PATTERN"
	Exclude    = "LOGFAST_EXCLUDE_PATH"
	Signals    = "LOGFAST_SIGNALS"
	Redact     = "LOGFAST_REDACT"
	Routes     = "LOGFAST_ROUTES"
	Labels     = "LOGFAST_LABELS"
	Archive    = "LOGFAST_READ_ARCHIVE"
	RotateAt   = "LOGFAST_ROTATE_AT"
	RotateZone = "LOGFAST_ROTATE_ZONE"
	Keep       = "LOGFAST_KEEP"
	MaxDisk    = "LOGFAST_MAX_DISK"
	OnFull     = "LOGFAST_ON_FULL"
	Notify     = "LOGFAST_NOTIFY"
	NotifyFile = "LOGFAST_NOTIFY_FILE"
	NotifyOn   = "LOGFAST_NOTIFY_ON"
	LogLevel   = "LOGFAST_LOG_LEVEL"
	Metrics    = "LOGFAST_METRICS"
	Stall      = "LOGFAST_STALL"
	Strictness = "LOGFAST_OPTIONS"
)

// The options of a container that code refers to.
const (
	OptFormat   = "format"
	OptScope    = "fast-track-scope"
	OptGroup    = "group"
	OptQuiet    = "quiet-period"
	OptMaxDelay = "max-delay"
	OptMaxSize  = "max-size"
	OptFsync    = "fsync"
	OptDetect   = "detect"
	OptStatus   = "status"
	OptPattern  = "pattern"
	OptExclude  = "exclude-path"
	OptSignals  = "signals"
	OptRedact   = "redact"
	OptArchive  = "read-archive"
	OptTag      = "tag"

	OptMaxFile     = "max-file"
	OptCompress    = "compress"
	OptLabels      = "labels"
	OptLabelsRegex = "labels-regex"
	OptEnv         = "env"
	OptEnvRegex    = "env-regex"
)

// The values of Strictness.
const (
	Lenient = "lenient"
	Strict  = "strict"
)

// Files and directories as the plugin sees them.
const (
	SpoolDir   = "/var/log/logfast"
	ConfigDir  = "/etc/logfast"
	TargetFile = ConfigDir + "/notify"
)

// DefaultKey is the default of Key.
const DefaultKey = "logs/dt={dt}/host={host}/app={app}/{time}-{seq}-{id}-{reason}.log.gz"

// table has logfast's own settings.
var table = []Setting{
	{
		Variable: Spool, Default: SpoolDir, Kind: "path", Example: "/data/log", IfWrong: UseDefault, Absent: true,
		Help: "Directory of the log files. Programs on the host read it; the plugin's directory is moved with " +
			"`logs.source`.",
	},
	{
		Variable: Store, Unset: "`file:///var/log/logfast/archive`", Kind: "URL", Example: "s3://my-logs/web",
		IfWrong: HoldUploads,
		Help:    "Where logfast uploads: `s3://bucket/prefix`, or a directory as `file:///directory`.",
	},
	{
		Variable: Key, Default: DefaultKey, Kind: "template", Example: "{app}.log-{unix}.gz", NoValue: true,
		Help: "Template of an object's key below the prefix.", See: "[layout.md](layout.md)",
	},
	{
		Variable: Host, Unset: "the host's name", Kind: "text", Example: "web-1",
		Help: "This host's name in keys, syslog records and incidents.",
	},
	{
		Variable: Owner, Unset: "the plugin's: `0:0`", Kind: "uid:gid in numbers", Example: "0:4",
		Help: "Owner of log files (0640) and directories (0750).",
	},
	{
		Option: OptFormat, Variable: Format, Default: "cri", Values: []string{"cri", "syslog", "raw"},
		Example: "syslog",
		Help:    "How a line is written to disk.", See: "[layout.md](layout.md)",
	},
	{
		Option: OptScope, Variable: Scope, Default: "container", Values: []string{"container", "group", "host"},
		Example: "group",
		Help:    "Whose segments an error seals and ships: the container's, the group's or all of the host.",
	},
	{
		Option: OptGroup, Unset: "compose project, swarm stack", Kind: "text", Example: "shop",
		Help: "Name of the group to which the container belongs.",
	},
	{
		Option: OptQuiet, Variable: Quiet, Default: "30s", Kind: "time, 100ms to 24h", Example: "10s",
		Help: "How long after the last error a segment is sealed.",
	},
	{
		Option: OptMaxDelay, Variable: MaxDelay, Default: "5m", Kind: "time, quiet-period to 24h", Example: "2m",
		Help: "How long after the first error a segment is sealed, even if errors continue.",
	},
	{
		Option: OptMaxSize, Variable: MaxSize, Default: "100MB", Kind: "size, 64KiB to 4.9GB", Example: "1GB",
		Help: "Size of the text at which a segment is sealed.",
	},
	{
		Option: OptFsync, Variable: Fsync, Default: "interval", Values: []string{"interval", "always", "never"},
		Example: "always",
		Help: "When lines are safe from a power cut: within 1 s, errors at once; before they leave the FIFO; " +
			"or when the kernel writes them, and at the seal.",
	},
	{
		Option: OptDetect, Variable: Detect, Default: "auto", Values: []string{"auto", "classic", "off"},
		Example: "classic",
		Help: "Which lines report a server error: those in known servers' formats, those that the one old " +
			"filter finds, or none.",
		See: "[detection.md](detection.md)",
	},
	{
		Option: OptStatus, Variable: Status, Default: "500-599", Kind: "statuses and ranges of 500 to 599",
		Example: "500,502-504",
		Help:    "HTTP statuses that count as an error.",
	},
	{
		Option: OptPattern, Variable: Pattern, Unset: "none", Kind: "RE2 expression", Example: "^FATAL ",
		Help: "Expression whose lines count as errors too; its groups `status`, `method` and `path` give details. " +
			"An empty option removes the default.",
	},
	{
		Option: OptExclude, Variable: Exclude, Unset: "none", Kind: "globs by commas, or `~` and RE2",
		Example: "/healthz,/static/*",
		Help:    "Paths whose requests never count. An empty option removes the default.",
	},
	{
		Option: OptSignals, Variable: Signals, Default: "off", Example: "python,go",
		Kind: "`python`, `java`, `go`, `node`, `php`, `ruby`, `rust`, `dotnet`, `elixir`, `runtime` by " +
			"commas, or `off`",
		Help: "Languages whose tracebacks and panics count as errors.",
	},
	{
		Option: OptRedact, Variable: Redact, Unset: "none", Kind: "RE2 expression", Example: `customer=(\w+)`,
		Help: "Expression for what else is removed from the lines that an incident quotes: its groups, or all " +
			"of the match.",
		See: "[incidents.md](incidents.md)",
	},
	{
		Variable: Routes, Unset: "none", Kind: "path", Example: "/etc/logfast/routes", IfWrong: UseRest,
		Help: "File of patterns of routes for incidents, one per line, such as `/users/{slug}/`.",
		See:  "[incidents.md](incidents.md#patterns-of-routes)",
	},
	{
		Variable: Labels, Unset: "none", Kind: "names by commas", Example: "com.example.team,version",
		Help: "Labels of all containers that are kept, as with the option `labels`; incidents show them.",
	},
	{
		Option: OptArchive, Variable: Archive, Default: "false", Values: []string{"true", "false"}, Example: "true",
		Help: "Whether `docker logs` fetches from the store what is no longer on the host.",
	},
	{
		Option: OptTag, Unset: "compose project-service, swarm service, name",
		Kind:    "text and `{{.Name}}`, `{{.ID}}`, `{{.ImageName}}`, …",
		Example: "{{.Name}}", Help: "The app's name, in keys and syslog records.",
	},
	{
		Option: OptMaxFile, Unset: "no bound", Kind: "count", Example: "3",
		Help: "How many files of `max-size` a container may have on this host, the active one among them. logfast " +
			"deletes the oldest uploaded copies beyond. It has no effect without `max-size`.",
		See: "[layout.md](layout.md#segments)",
	},
	{
		Option: OptCompress, Default: "true", Values: []string{"true", "false"}, Example: "false",
		Help: "Accepted, because json-file has it; logfast packs each sealed segment.",
	},
	{
		Option: OptLabels, Unset: "none", Kind: "names by commas", Example: "team,zone",
		Help: "Labels of the container that are kept, except secrets: in objects' metadata, in incidents and in " +
			"`--output json`, and for `{label:NAME}` in keys.",
		See: "[layout.md](layout.md#labels-and-environment)",
	},
	{
		Option: OptLabelsRegex, Unset: "none", Kind: "RE2 expression", Example: `^com\.example\.`,
		Help: "Expression for the names of further labels that are kept, except secrets.",
	},
	{
		Option: OptEnv, Unset: "none", Kind: "names by commas", Example: "REGION,STAGE",
		Help: "Environment variables of the container that are kept, as with `labels`, except secrets.",
		See:  "[layout.md](layout.md#labels-and-environment)",
	},
	{
		Option: OptEnvRegex, Unset: "none", Kind: "RE2 expression", Example: "^APP_",
		Help: "Expression for the names of further environment variables that are kept, except secrets.",
	},
	{
		Variable: Strictness, Default: Lenient, Values: []string{Lenient, Strict}, Example: Strict,
		Help: "Whether a container starts with an option that logfast cannot use: json-file's, another driver's or " +
			"an unknown one. With `strict` logfast refuses it; with `lenient` the container starts, and " +
			"`logfast status` shows what to set instead.",
	},
	{
		Variable: RotateAt, Default: "00:00", Kind: "hh:mm", Example: "04:30",
		Help: "Time of day at which every segment is sealed.",
	},
	{
		Variable: RotateZone, Default: "UTC", Kind: "time zone", Example: "Europe/Berlin",
		Help: "Time zone of `LOGFAST_ROTATE_AT`.",
	},
	{
		Variable: Keep, Default: "7d", Kind: "time or days", Example: "12h",
		Help: "How long an uploaded copy stays on this host, counted from its first line.",
	},
	{
		Variable: MaxDisk, Default: "10GB", Kind: "size, or 0", Example: "50GB", NoValue: true,
		Help: "How much disk the log files of all containers may use; 0 means no limit.",
	},
	{
		Variable: OnFull, Default: "drop", Values: []string{"drop", "block"}, Example: "block", NoValue: true,
		Help: "What logfast does if `LOGFAST_MAX_DISK` is reached or the disk is full: drop the oldest " +
			"segments, or block the containers.",
		See: "[When the disk is full](../README.md#when-the-disk-is-full)",
	},
	{
		Variable: Notify, Unset: "none", Kind: "URLs by commas", Example: "https://bot.example.com/logfast",
		IfWrong: LeaveOut, Secret: InTargets, Keep: TargetFile,
		Help: "Targets that logfast notifies of incidents: `https://host/path` (webhook, chat), `slack://…`, " +
			"`smtp://…`.",
		See: "[notify.md](notify.md)",
	},
	{
		Variable: NotifyFile, Default: TargetFile, Kind: "path", Example: "/etc/logfast/oncall", IfWrong: LeaveOut,
		Help: "File of further targets, one per line with its options.", See: "[notify.md](notify.md)",
	},
	{
		Variable: NotifyOn, Default: "shipped", Kind: "`shipped`, `first,shipped`", Example: "first,shipped",
		IfWrong: LeaveOut,
		Help: "When logfast notifies: after the log is in the store (`shipped`), and also at the first error " +
			"(`first,shipped`).",
	},
	{
		Variable: LogLevel, Default: "info", Values: []string{"debug", "info", "warn", "error"}, Example: "warn",
		Help: "Level of logfast's own log.",
	},
	{
		Variable: Metrics, Unset: "none: only the control socket", Kind: "host:port", Example: "127.0.0.1:9323",
		IfWrong: UseDefault,
		Help:    "Address at which logfast serves metrics for Prometheus and health over TCP.",
		See:     "[operations.md](operations.md)",
	},
	{
		Variable: Stall, Default: "10m", Kind: "time, 1s to 24h", Example: "5m", NoValue: true,
		Help: "How long segments may wait without an upload before logfast reports an error and is unhealthy.",
	},
}
