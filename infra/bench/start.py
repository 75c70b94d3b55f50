#!/usr/bin/env python3
"""How long a function takes from its start to its first poll, how large it is, and in how much memory.

    cargo build --release -p hold-seats && cargo build --release -p edge --example echo
    python3 infra/bench/start.py target/release/examples/echo target/release/hold-seats

Plays the Runtime API of Lambda and a DynamoDB that knows nothing, both on loopback. The binaries
take turns, so that what else the machine does meets all of them alike; compare within one run.
The first one is what the others are measured against.
"""

import http.server
import os
import statistics
import subprocess
import sys
import threading
import time

ROUNDS = 40


class Aws(http.server.BaseHTTPRequestHandler):
    """GET is a poll for an invocation, which never comes; POST is DynamoDB, which has nothing."""

    protocol_version = "HTTP/1.1"
    polled = threading.Event()
    polled_at = 0.0
    done = threading.Event()

    def do_GET(self):
        Aws.polled_at = time.perf_counter()
        Aws.polled.set()
        Aws.done.wait(10)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def start(binary, address):
    """Milliseconds from exec to the first poll, CPU milliseconds, and resident KB at that time."""
    environment = {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://{address}",
        "CATALOG_TABLE": "c", "SEATS_TABLE": "s", "RESERVATIONS_TABLE": "r", "PAYMENTS_TABLE": "p",
        "EVENTS_TABLE": "e",
        "JWT_SECRET": "s" * 32, "JWT_ISSUER": "i", "JWT_AUDIENCE": "a",
    }
    Aws.polled.clear()
    Aws.done.clear()
    began = time.perf_counter()
    process = subprocess.Popen([binary], env=environment)
    if not Aws.polled.wait(10):
        process.kill()
        sys.exit(f"{binary} did not poll")
    with open(f"/proc/{process.pid}/status") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    with open(f"/proc/{process.pid}/stat") as stat:
        ticks = sum(int(field) for field in stat.read().rsplit(")", 1)[1].split()[11:13])
    process.kill()
    process.wait()
    Aws.done.set()
    return (Aws.polled_at - began) * 1000, ticks * 1000 / os.sysconf("SC_CLK_TCK"), resident


def main(binaries):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Aws)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = "127.0.0.1:%d" % server.server_address[1]
    measured = {binary: [] for binary in binaries}
    for _ in range(ROUNDS):
        for binary in binaries:
            measured[binary].append(start(binary, address))
    print(f"{'function':24}{'file MB':>9}{'median ms':>11}{'least ms':>10}{'resident MB':>13}{'ratio':>8}")
    first = None
    for binary, runs in measured.items():
        times = [run[0] for run in runs]
        median = statistics.median(times)
        first = first or median
        resident = statistics.median(run[2] for run in runs) / 1024
        size = os.path.getsize(binary) / 1e6
        name = os.path.basename(binary)
        print(f"{name:24}{size:9.2f}{median:11.2f}{min(times):10.2f}{resident:13.2f}{median / first:8.2f}")


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
