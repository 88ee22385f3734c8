#!/usr/bin/python3
"""OpenStack Swift with its S3 interface, in one process and one folder, on free ports of loopback.

    tests/rigs/s3_swift.py FOLDER

Prints "listening PORT" once it answers, and ends with SIGTERM or its parent. Access key test:tester, secret
key testing, region us-east-1. It checks signatures as S3 does. The folder's file system needs extended attributes.
"""
import os
import signal
import socket
import sys

os.environ["EVENTLET_NO_GREENDNS"] = "yes"
import eventlet  # noqa: E402

eventlet.monkey_patch()
import eventlet.wsgi  # noqa: E402
from swift.common import utils  # noqa: E402

SWIFT_CONF = """
[swift-hash]
swift_hash_path_suffix = test
[storage-policy:0]
name = one
default = yes
"""

SERVER_CONF = """
[DEFAULT]
devices = {folder}/devices
mount_check = false
swift_dir = {folder}
recon_cache_path = {folder}/cache
log_address = {folder}/no-log
fallocate_reserve = 0
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
allow_versions = true
"""

PROXY_CONF = """
[DEFAULT]
swift_dir = {folder}
log_address = {folder}/no-log
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth copy slo dlo symlink versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
force_swift_request_proxy_log = false
storage_domain = s3.test
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:symlink]
use = egg:swift#symlink
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
"""


def listen():
    return eventlet.listen(("127.0.0.1", 0), backlog=256)


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def make_ring(folder, name, port):
    from swift.common.ring import RingBuilder

    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": port,
                     "device": "disk", "meta": ""})
    builder.rebalance()
    builder.get_ring().save(os.path.join(folder, name + ".ring.gz"))


def main(folder):
    os.makedirs(os.path.join(folder, "devices", "disk"))
    os.makedirs(os.path.join(folder, "cache"))
    write(folder, "swift.conf", SWIFT_CONF)
    utils.set_swift_dir(folder)
    from swift.common.storage_policy import reload_storage_policies
    from swift.common.wsgi import SwiftHttpProtocol, loadapp

    reload_storage_policies()
    utils.validate_hash_conf()
    # Nothing listens there: the proxy works without a cache, a little slower.
    unused = socket.socket()
    unused.bind(("127.0.0.1", 0))
    sockets = {kind: listen() for kind in ("account", "container", "object", "proxy")}
    for kind in ("account", "container", "object"):
        make_ring(folder, kind, sockets[kind].getsockname()[1])
    for kind, listener in sockets.items():
        text = PROXY_CONF if kind == "proxy" else SERVER_CONF
        path = write(folder, kind + ".conf",
                     text.format(folder=folder, kind=kind, memcached=unused.getsockname()[1]))
        app = loadapp(path, global_conf={"log_name": kind})
        eventlet.spawn(eventlet.wsgi.server, listener, app, open(os.devnull, "w"), protocol=SwiftHttpProtocol,
                       custom_pool=eventlet.GreenPool(256), keepalive=True)
    print("listening", sockets["proxy"].getsockname()[1], flush=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    parent = os.getppid()
    while os.getppid() == parent:
        eventlet.sleep(1)


main(os.path.abspath(sys.argv[1]))
