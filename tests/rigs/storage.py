#!/usr/bin/python3
"""The part of Supabase Storage's interface that relays use, with its answers' shapes: errors are a status of 400 with a
body that says more, URLs are relative to /storage/v1, folders in listings have no id.

    tests/rigs/storage.py FOLDER

Prints "listening PORT" once it answers, and ends with SIGTERM or its parent. The projects' key is STORAGE_KEY's value, or
sb_secret_test; a project is what stands in the path before /storage/v1, perhaps nothing. Files are in memory; FOLDER is
not used.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import threading
import time
import urllib.parse

KEY = os.environ.get("STORAGE_KEY", "sb_secret_test")
SECRET = os.urandom(32)
UPLOAD_S = 7200

projects = {}  # name: {bucket: {"limit": bytes, "files": {path: (type, bytes)}}}
lock = threading.Lock()


class Refusal(Exception):
    def __init__(self, status_code, error, message, code=None):
        super().__init__(message)
        self.body = {"statusCode": status_code, "error": error, "message": message}
        if code:
            self.body["code"] = code


def no_bucket(name):
    # Older and newer servers say it differently.
    if len(name) % 2:
        return Refusal("404", "Bucket not found", "Bucket not found", "NoSuchBucket")
    return Refusal("404", "Bucket not found", "Bucket not found")


def no_key():
    return Refusal("404", "not_found", "Object not found", "NoSuchKey")


def token(kind, place, expires):
    text = json.dumps([kind, place, expires]).encode()
    mark = hmac.new(SECRET, text, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mark + text).decode().rstrip("=")


def check_token(kind, place, given):
    try:
        raw = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        stated = json.loads(raw[32:])
        if token(kind, place, stated[2]) != given or stated[:2] != [kind, place]:
            raise ValueError
    except (ValueError, TypeError, IndexError):
        raise Refusal("400", "InvalidSignature", "signature verification failed", "InvalidSignature") from None
    if stated[2] <= time.time():
        raise Refusal("400", "InvalidJWT", '"exp" claim timestamp check failed', "InvalidJWT")


class Storage(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    # ---- what is stored ----

    def bucket(self, name):
        if name not in self.buckets:
            raise no_bucket(name)
        return self.buckets[name]

    def split(self, place):
        name, _, path = place.partition("/")
        bucket = self.bucket(name)
        if not path or not path.isascii():
            raise Refusal("400", "InvalidKey", f"Invalid key: {path}", "InvalidKey")
        return bucket, path

    def post_bucket(self, _, body):
        if body["id"] in self.buckets:
            raise Refusal("409", "Duplicate", "The resource already exists")
        self.buckets[body["id"]] = {"limit": body["file_size_limit"], "files": {}}
        return {"name": body["name"]}

    def sign_upload(self, place, _):
        bucket, path = self.split(place)
        if path in bucket["files"]:
            raise Refusal("409", "Duplicate", "The resource already exists", "KeyAlreadyExists")
        return {"url": f"/object/upload/sign/{place}?token={token('upload', place, time.time() + UPLOAD_S)}"}

    def sign_download(self, place, body):
        bucket, path = self.split(place)
        if path not in bucket["files"]:
            raise no_key()
        return {"signedURL": f"/object/sign/{place}?token={token('download', place, time.time() + body['expiresIn'])}"}

    def upload(self, place, content):
        check_token("upload", place, self.query.get("token", ""))
        bucket, path = self.split(place)
        if len(content) > bucket["limit"]:
            raise Refusal("413", "Payload too large", "The object exceeded the maximum allowed size", "EntityTooLarge")
        if path in bucket["files"]:
            raise Refusal("409", "Duplicate", "The resource already exists", "KeyAlreadyExists")
        bucket["files"][path] = (self.headers.get("Content-Type") or "application/octet-stream", content)
        return {"Key": place}

    def list_folder(self, name, body):
        files = self.bucket(name)["files"]
        prefix, entries = body["prefix"] + "/" if body["prefix"] else "", {}
        for path, (kind, content) in files.items():
            if path.startswith(prefix):
                first, _, rest = path[len(prefix):].partition("/")
                metadata = None if rest else {"size": len(content), "mimetype": kind, "eTag": '"x"'}
                entries[first] = {"name": first, "id": None if rest else hashlib.md5(path.encode()).hexdigest(),
                                  "metadata": metadata, "updated_at": None, "created_at": None}
        names = sorted(entries)[body.get("offset", 0):][:body.get("limit", 100)]
        return [entries[one] for one in names]

    def remove(self, name, body):
        files = self.bucket(name)["files"]
        gone = [path for path in body["prefixes"] if files.pop(path, None)]
        return [{"name": path, "bucket_id": name} for path in gone]

    def download(self, place):
        check_token("download", place, self.query.get("token", ""))
        bucket, path = self.split(place)
        if path not in bucket["files"]:
            raise no_key()
        kind, content = bucket["files"][path]
        headers, status, wanted = {"Content-Type": kind, "Accept-Ranges": "bytes"}, 200, self.headers.get("Range")
        if "download" in self.query:
            headers["Content-Disposition"] = f"attachment; filename={self.query['download']};"
        if wanted:
            first, last = (int(part) for part in wanted[len("bytes="):].split("-"))
            if first >= len(content):
                return self.say(416, {"Content-Type": "text/plain"}, b"")
            content, status = content[first:last + 1], 206
        return self.say(status, headers, content)

    # ---- HTTP ----

    ROUTES = [
        ("POST", "bucket", post_bucket), ("POST", "object/upload/sign/", sign_upload),
        ("POST", "object/sign/", sign_download), ("POST", "object/list/", list_folder), ("DELETE", "object/", remove),
    ]

    def say(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say_json(self, status, value):
        self.say(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value).encode())

    def run(self, path, body):
        if self.command == "PUT" and path.startswith("object/upload/sign/"):
            return self.say_json(200, self.upload(path[len("object/upload/sign/"):], body))
        if self.command == "GET" and path.startswith("object/sign/"):
            return self.download(path[len("object/sign/"):])
        if self.headers.get("apikey") != KEY or self.headers.get("Authorization") != "Bearer " + KEY:
            raise Refusal("403", "Unauthorized", "Invalid Compact JWS", "AccessDenied")
        if not body:
            raise Refusal("400", "Error", "Body cannot be empty when content-type is set to 'application/json'")
        for method, prefix, function in self.ROUTES:
            if self.command == method and path.startswith(prefix):
                return self.say_json(200, function(self, path[len(prefix):], json.loads(body)))
        raise Refusal("404", "Not Found", f"Route {self.command}:/{path} not found")

    def do_any(self):
        split = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(split.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            with lock:
                project, _, path = urllib.parse.unquote(split.path).partition("/storage/v1/")
                self.buckets = projects.setdefault(project, {})
                self.run(path, body)
        except Refusal as refusal:
            self.say_json(400, refusal.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_any


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        pass  # a client went away


def main():
    server = Server(("127.0.0.1", 0), Storage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening", server.server_address[1], flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)


sys.exit(main())
