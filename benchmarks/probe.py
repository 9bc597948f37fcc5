"""`python -m benchmarks.probe PORT SECONDS`: one call every so many seconds.

Prints how long each took, and how late this process woke up from its sleep after it: what the machine adds by itself.
"""

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
        answered = time.perf_counter()
        pause = max(every - (answered - began), 0)
        time.sleep(pause)
        print(answered - began, time.perf_counter() - answered - pause, flush=True)


if __name__ == "__main__":
    main()
