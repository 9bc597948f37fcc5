"""`python -m benchmarks.probe PORT SECONDS`: print how long each call took, one call every so many seconds."""

import http.client
import sys
import time


def main() -> None:
    port, every = int(sys.argv[1]), float(sys.argv[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        began = time.perf_counter()
        connection.request("GET", "/api/health/live")
        connection.getresponse().read()
        took = time.perf_counter() - began
        print(took, flush=True)
        time.sleep(max(every - took, 0))


if __name__ == "__main__":
    main()
