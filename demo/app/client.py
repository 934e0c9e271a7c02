"""The demo's customer, run inside the containers' private network.

    client.py wait PORT...         until something listens on every one of them
    client.py get PORT PATH...     fetch each; print time, status, bytes, path
"""

import http.client
import socket
import sys
import time


def wait(ports):
    end = time.monotonic() + 30
    for port in ports:
        while True:
            try:
                # A connection without a request: it leaves no line in a log.
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError as e:
                if time.monotonic() > end:
                    sys.exit(f"nothing listens on 127.0.0.1:{port} after 30 s: {e}")
                time.sleep(0.1)


def get(port, paths):
    for path in paths:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        c.request("GET", path, headers={"User-Agent": "demo-customer/1.0"})
        r = c.getresponse()
        body = r.read()
        print(f"{time.time():.6f} {r.status} {len(body)} {path}", flush=True)
        c.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["wait", *ports] if ports:
            wait([int(p) for p in ports])
        case ["get", port, *paths] if paths:
            get(int(port), paths)
        case _:
            sys.exit(__doc__)
