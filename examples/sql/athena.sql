-- logfast's bucket in Athena, and in Trino and Hive with a metastore. Put your
-- bucket's name for my-logs. The logs are those of format=cri.

CREATE EXTERNAL TABLE logfast_logs (
  `time`   string COMMENT 'RFC 3339, nanoseconds, UTC',
  `stream` string COMMENT 'stdout or stderr',
  `tag`    string COMMENT 'F, or P where the line goes on in the next record of its stream',
  `text`   string
)
PARTITIONED BY (`dt` date, `host` string, `app` string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
WITH SERDEPROPERTIES ('input.regex' = '^([^ ]+) (stdout|stderr) ([FP]) (.*)$')
STORED AS TEXTFILE
LOCATION 's3://my-logs/logs/';

CREATE EXTERNAL TABLE logfast_incidents (
  `specversion` string,
  `id` string,
  `source` string,
  `type` string,
  `subject` string,
  `time` string,
  `datacontenttype` string,
  `dataschema` string,
  `data` struct<id:string,host:string,scope:string,containers:array<struct<id:string,name:string,image:string,app:string,`group`:string,labels:map<string,string>,env:map<string,string>>>,first:string,last:string,closed:string,errors:bigint,by_status:map<string,bigint>,lines:bigint,bytes:bigint,lost_lines:bigint,missing_objects:int,cause:struct<language:string,type:string,message:string,frame:string,stacktrace:string>,fingerprints:array<struct<id:string,kinds:array<struct<id:string,errors:bigint>>,app:string,method:string,route:string,status:int,errors:bigint,first:string,last:string>>,unlisted_errors:bigint,samples:array<struct<time:string,container:string,stream:string,status:int,rule:string,fingerprint:string,text:string,cut:boolean,context:string,cause:struct<language:string,type:string,message:string,frame:string,stacktrace:string>,kind:string,key:string,line:bigint,offset:bigint>>,objects:array<struct<key:string,container:string,reason:string,first:string,last:string,lines:bigint,errors:bigint,bytes:bigint,size:bigint,sha256:string>>>
)
PARTITIONED BY (`dt` date, `host` string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
STORED AS TEXTFILE
LOCATION 's3://my-logs/incidents/';

-- Makes new days, hosts and apps known; run it daily. In Trino:
-- CALL system.sync_partition_metadata('default', 'logfast_logs', 'ADD');
MSCK REPAIR TABLE logfast_logs;
MSCK REPAIR TABLE logfast_incidents;

-- What one app said on stderr on one day: reads that day's objects of that app.
SELECT from_iso8601_timestamp_nanos("time") AS at, host, text
FROM logfast_logs
WHERE dt = DATE '2026-11-23' AND app = 'checkout' AND stream = 'stderr'
ORDER BY at;

-- Outages by day and host, and what failed most.
SELECT dt, host, data.id, data.errors, data.fingerprints[1].route AS route
FROM logfast_incidents
WHERE dt >= current_date - INTERVAL '7' DAY AND "type" = 'io.github.logfast.incident.v1'
ORDER BY data.errors DESC;
