#!/usr/bin/env python3
"""Draws every dashboard from a Prometheus that scrapes Faultline, and takes a picture of each with Chromium.

usage: tests/dashboards/screenshots.py PROMETHEUS_URL SECONDS_BACK OUT_DIRECTORY
"""

import functools
import http.server
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACES = {"/dashboards/": ROOT / "dashboards", "/uplot/": HERE / "node_modules" / "uplot" / "dist", "/": HERE / "draw"}
WIDTH = 1584
LIMIT_SECONDS = 90


class Handler(http.server.SimpleHTTPRequestHandler):
    """The page, the dashboards, the chart library, and Prometheus's API, all from one origin."""

    def __init__(self, *arguments, prometheus, **keywords):
        self.prometheus = prometheus
        super().__init__(*arguments, **keywords)

    def do_GET(self):
        if not self.path.startswith("/api/"):
            return super().do_GET()
        try:
            with urllib.request.urlopen(self.prometheus + self.path, timeout=30) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def translate_path(self, path):
        path = path.partition("?")[0]
        prefix = next(prefix for prefix in PLACES if path.startswith(prefix))
        name = pathlib.PurePosixPath(path[len(prefix):] or "index.html").name
        return str(PLACES[prefix] / name)

    def log_message(self, *_):
        pass


def chromium(*arguments):
    with tempfile.TemporaryDirectory() as profile:
        command = [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}", "--virtual-time-budget=60000",
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS).stdout


def picture(url, out=None):
    """Draws a page. Returns its height and the titles of the panels that had no data; raises when it could not be drawn."""
    page = chromium("--dump-dom", url)
    title = re.search(r"<title>(.*?)</title>", page, re.S)
    drawn = re.fullmatch(r"drawn (\d+) (\[.*\])", title[1]) if title else None
    if not drawn:
        raise RuntimeError(f"{url}: {title and title[1]}")
    if out:
        chromium(f"--window-size={WIDTH},{drawn[1]}", f"--screenshot={out}", url)
    return int(drawn[1]), drawn[2]


def serve(prometheus):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, prometheus=prometheus))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


def main(prometheus, seconds_back, out):
    server, origin = serve(prometheus)
    end = int(time.time())
    for file in sorted((ROOT / "dashboards").glob("*.json")):
        url = f"{origin}/?file={file.name}&start={end - int(seconds_back)}&end={end}"
        height, empty = picture(url, pathlib.Path(out) / f"{file.stem}.png")
        print(f"{file.stem}: {WIDTH} x {height}, without data: {empty}")
    server.shutdown()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
