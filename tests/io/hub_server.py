"""A server on this machine that speaks as much of a hub's language as a run needs."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_good"


class Hub(ThreadingHTTPServer):
    """Repositories by name: their commits, oldest first, and where their branches stand."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.branches: dict[str, dict[str, str]] = {}
        self.private: set[str] = set()
        self.gated: set[str] = set()
        self.claimed: dict[str, int] = {}  # sizes that it says files have, which they have not
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        """A new commit, in which these files replace those of their names."""
        known = self.commits.setdefault(repo, {})
        heads = self.branches.setdefault(repo, {})
        now = {**known.get(heads.get(branch, heads.get("main", "")), {}), **files}
        commit = hashlib.sha1(repr((repo, sorted(now), len(known))).encode()).hexdigest()
        known[commit] = now
        heads[branch] = commit
        return commit


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *given: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._get(with_body=False)

    def do_GET(self) -> None:
        self._get(with_body=True)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        words = self.path.strip("/").split("/")
        if self.path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if f"Bearer {TOKEN}" != self.headers.get("Authorization"):
            return self._error(401, "", "Invalid credentials")
        if self.path == "/api/repos/create":
            return self._create(json.loads(body))
        repo, act = "/".join(words[2:4]), words[4]
        revision = words[5]
        if act == "branch":
            self.server.branches[repo][revision] = self.server.branches[repo]["main"]
            return self._json({})
        if act == "preupload":
            paths = [each["path"] for each in json.loads(body)["files"]]
            modes = {"uploadMode": "regular", "shouldIgnore": False}
            return self._json({"files": [{"path": path, **modes} for path in paths]})
        sent = [json.loads(line) for line in body.splitlines()]
        files = {
            each["value"]["path"]: base64.b64decode(each["value"]["content"])
            for each in sent
            if each["key"] == "file"
        }
        commit = self.server.put(repo, files, revision)
        url = f"{self.server.url}/{repo}/commit/{commit}"
        return self._json({"commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _create(self, asked: dict[str, Any]) -> None:
        repo = f"{asked['organization']}/{asked['name']}"
        if repo in self.server.commits:
            url = json.dumps({"url": f"{self.server.url}/{repo}"}).encode()
            return self._send(409, url, {"X-Error-Message": "You already created this repo"})
        self.server.put(repo, {".gitattributes": b""})
        if asked.get("visibility") == "private" or asked.get("private"):
            self.server.private.add(repo)
        return self._json({"url": f"{self.server.url}/{repo}", "name": repo})

    def _get(self, *, with_body: bool) -> None:
        self.server.asked.append(self.path)
        words = self.path.partition("?")[0].strip("/").split("/")
        is_api = words[:2] == ["api", "models"]
        repo = "/".join(words[2:4] if is_api else words[:2])
        is_owner = f"Bearer {TOKEN}" == self.headers.get("Authorization")
        if repo not in self.server.commits or (repo in self.server.private and not is_owner):
            return self._error(401 if repo in self.server.private else 404, "RepoNotFound")
        if repo in self.server.gated and not is_owner:
            return self._error(403, "GatedRepo")
        revision = (words[5:6] or ["main"])[0] if is_api else words[3]
        commit = self.server.branches[repo].get(revision, revision)
        files = self.server.commits[repo].get(commit)
        if files is None:
            return self._error(404, "RevisionNotFound")
        if is_api:
            sizes = {name: self.server.claimed.get(name, len(files[name])) for name in files}
            listed = [{"rfilename": name, "size": size} for name, size in sizes.items()]
            return self._json({"id": repo, "sha": commit, "siblings": listed})
        content = files.get("/".join(words[4:]))
        if content is None:
            return self._error(404, "EntryNotFound")
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}
        return self._send(200, content, headers, with_body=with_body)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str, message: str = "no") -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": message})

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], *, with_body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body and self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that answers as long as the block lasts."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
