# The plugin's root: one static binary. `make plugin` builds the context.
FROM scratch
COPY logfast /logfast
ENTRYPOINT ["/logfast", "plugin"]
