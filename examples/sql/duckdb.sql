-- logfast's bucket in DuckDB: of a copy in a directory, or of the bucket itself
-- ('s3://my-logs' for 'my-logs', after INSTALL httpfs; LOAD httpfs; and a
-- CREATE SECRET (TYPE s3, PROVIDER credential_chain)).
-- A query that says dt, host or app reads no other objects.

-- A line has no delimiter of columns: byte 1 is one that text does not have.
CREATE VIEW logs AS
SELECT dt, host, app, record.time::TIMESTAMPTZ AS time, record.stream, record.tag, record.text, line, filename AS object
FROM (SELECT *, regexp_extract(line, '^([^ ]+) (stdout|stderr) ([FP]) (.*)$', ['time', 'stream', 'tag', 'text']) AS record
      FROM read_csv('my-logs/logs/*/*/*/*.log.gz', hive_partitioning = true,
                    hive_types = {'dt': DATE, 'host': VARCHAR, 'app': VARCHAR}, columns = {'line': 'VARCHAR'},
                    auto_detect = false, header = false, delim = chr(1), quote = '', escape = '',
                    compression = 'gzip', filename = true, max_line_size = 1048576));

CREATE VIEW incidents AS
SELECT *
FROM read_json('my-logs/incidents/*/*/*.json', hive_partitioning = true, hive_types = {'dt': DATE, 'host': VARCHAR}, format = 'auto', filename = true);
