"""A server on 127.0.0.1 that serves files as archives do, and fails in the ways that they do."""

import contextlib
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Archive:
    """Files by path, and what goes wrong with the next answers.

    `faults` holds for GETs of a path one word or number per answer: a status, ``cut`` (half of what is asked for, then
    the connection ends), ``slow`` (small pieces with pauses), ``other`` (another piece than was asked for),
    ``loop`` (a redirection to itself).
    """

    def __init__(self):
        self.files, self.faults, self.asked = {}, {}, []
        self.ranges, self.version, self.heads, self.lengths = True, True, True, True

    def put(self, path, content):
        self.files[path] = content
        return f"{self.url}{path}"

    def gets(self, path):
        """Ranges of the GETs of a path, in their order; None where there was none."""
        return [wanted for method, where, wanted in self.asked if (method, where) == ("GET", path)]


def sha1(content):
    return f"sha1:{hashlib.sha1(content).hexdigest()}"


@contextlib.contextmanager
def serving():
    archive = Archive()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            archive.asked.append(("HEAD", self.path, None))
            content = archive.files.get(self.path)
            if not archive.heads:
                self.send_response(405)
                self.send_header("Content-Length", "0")
            elif content is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
            else:
                self.send_response(200)
                if archive.lengths:
                    self.send_header("Content-Length", str(len(content)))
            self.end_headers()

        def do_GET(self):
            wanted = self.headers.get("Range")
            archive.asked.append(("GET", self.path, wanted))
            fault = (archive.faults.get(self.path) or [None]).pop(0)
            content = archive.files.get(self.path)
            if fault == "loop":
                self.send_response(302)
                self.send_header("Location", self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if content is None or isinstance(fault, int):
                self.send_response(404 if content is None else fault)
                self.send_header("Content-Length", "0")
                if fault == 429:
                    self.send_header("Retry-After", "7")
                self.end_headers()
                return
            version = f'"{hashlib.md5(content).hexdigest()}"'
            same = self.headers.get("If-Range") in (None, version)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and archive.ranges and same else 0
            if start >= len(content) and start:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if fault == "other" and start:
                start += 1
            piece = content[start:]
            self.send_response(206 if wanted and archive.ranges and same else 200)
            if archive.lengths:
                self.send_header("Content-Length", str(len(piece)))
            if wanted and archive.ranges and same:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if archive.version:
                self.send_header("ETag", version)
            if not archive.lengths:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if fault == "cut":
                self.wfile.write(piece[: len(piece) // 2])
                self.close_connection = True
            elif fault == "slow":
                with contextlib.suppress(ConnectionError):
                    for i in range(0, len(piece), 100_000):
                        self.wfile.write(piece[i : i + 100_000])
                        time.sleep(0.05)
            else:
                self.wfile.write(piece)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    archive.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
