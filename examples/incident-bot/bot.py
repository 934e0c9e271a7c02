#!/usr/bin/env python3
"""A bot that says in three lines what an incident of logfast is about.

    bot.py < incident.json          one incident, as a webhook gets it
    bot.py DIRECTORY                all of a store's copy: aws s3 sync s3://my-logs/incidents DIRECTORY
"""
import json
import pathlib
import sys


def summary(event):
    if not event["type"].startswith("io.github.logfast.incident.") or not event["type"].endswith("v1"):
        return f"{event['id']}: {event['type']} is not known to this bot"
    i = event["data"]
    statuses = ", ".join(f"{n} x {status if status != '0' else 'error'}" for status, n in sorted(i.get("by_status", {}).items()))
    worst = i["fingerprints"][0] if i["fingerprints"] else {}
    what = f"{worst.get('method', '')} {worst.get('route', '')}".strip() or "no single request"
    sample = next(iter(i["samples"]), {"text": "no line is quoted", "key": ""})
    return "\n".join([
        f"{event['subject']} on {i['host']}: {statuses}, mostly {what}",
        f"from {i['first']} to {i['last']}, {i.get('closed', 'still open')}, {len(i['objects'])} log object(s), id {i['id']}",
        f"{sample['text'][:200]}  [{sample['key'] or 'not in the store yet'}]",
    ])


if __name__ == "__main__":
    for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.json")) if len(sys.argv) > 1 else ["/dev/stdin"]:
        print(summary(json.loads(pathlib.Path(path).read_text(encoding="utf-8"))))
