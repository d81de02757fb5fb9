#!/usr/bin/env python3
"""Makes the large image of the image benchmarks as an OCI layout: about 70,000 entries and 900 MB in six
layers, from files of this machine in a fixed order (no network, nothing random).

    large-image.py DIRECTORY
"""
import hashlib
import io
import json
import os
import stat
import sys
import tarfile
import zlib

MB = 1 << 20
# Where a layer's files come from, how many bytes and entries it takes at most.
LAYERS = [
    ("bin", ["/usr/bin"], 75 * MB, 3000),
    ("gcc", ["/usr/include", "/usr/lib/gcc"], 110 * MB, 8000),
    ("llvm", ["/usr/lib/llvm-14/lib", "/usr/libexec", "/usr/lib/git-core"], 220 * MB, 3000),
    ("share", ["/usr/share"], 265 * MB, 30000),
    ("lib", ["/usr/lib/python3", "/usr/lib/python3.11", "/usr/lib/x86_64-linux-gnu"], 200 * MB, 10000),
    ("small", [], 0, 20000),
]


class Hashing:
    """Compresses what is written, hashes both sides."""

    def __init__(self, path):
        self.raw, self.packed, self.size, self.raw_size = hashlib.sha256(), hashlib.sha256(), 0, 0
        self.file = open(path, "wb")
        self.z = zlib.compressobj(6, zlib.DEFLATED, 31)

    def put(self, data):
        self.packed.update(data)
        self.size += len(data)
        self.file.write(data)

    def write(self, data):
        self.raw.update(data)
        self.raw_size += len(data)
        self.put(self.z.compress(data))
        return len(data)

    def close(self):
        self.put(self.z.flush())
        self.file.close()


def walk(tops):
    for top in tops:
        for here, dirs, files in os.walk(top):
            dirs.sort()
            yield here
            for name in sorted(files):
                yield os.path.join(here, name)


def clean(info):
    info.uname = info.gname = ""
    info.mtime = int(info.mtime)
    return info


def add_tree(tar, name, tops, bytes_max, entries_max):
    size = n = 0
    for path in walk(tops):
        st = os.lstat(path)
        if n >= entries_max or not (stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode) or stat.S_ISLNK(st.st_mode)):
            continue
        if stat.S_ISREG(st.st_mode):
            if size + st.st_size > bytes_max or st.st_size > bytes_max // 3:
                continue
            size += st.st_size
        tar.add(path, arcname=name + path, recursive=False, filter=clean)
        n += 1


def add_small(tar, n):
    for i in range(n):
        if i % 100 == 0:
            info = tarfile.TarInfo("small/%03d" % (i // 100))
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        data = (b"entry %d\n" % i) * (1 + i % 6)
        info = tarfile.TarInfo("small/%03d/file-%05d" % (i // 100, i))
        info.size, info.mode = len(data), 0o644

        tar.addfile(info, io.BytesIO(data))


def put_blob(blobs, document):
    text = json.dumps(document, separators=(",", ":")).encode()
    digest = hashlib.sha256(text).hexdigest()
    with open(os.path.join(blobs, digest), "wb") as f:
        f.write(text)
    return "sha256:" + digest, len(text)


def main():
    top = sys.argv[1]
    blobs = os.path.join(top, "blobs/sha256")
    os.makedirs(blobs)
    layers, diff_ids, raw = [], [], 0
    for name, tops, bytes_max, entries_max in LAYERS:
        path = os.path.join(blobs, "new")
        out = Hashing(path)
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20) as tar:
            if tops:
                add_tree(tar, name, tops, bytes_max, entries_max)
            else:
                add_small(tar, entries_max)
        out.close()
        raw += out.raw_size
        digest = out.packed.hexdigest()
        os.rename(path, os.path.join(blobs, digest))
        layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + digest,
                       "size": out.size})
        diff_ids.append("sha256:" + out.raw.hexdigest())
    config, size = put_blob(blobs, {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
                                    "rootfs": {"type": "layers", "diff_ids": diff_ids},
                                    "history": [{"created_by": "bench"} for _ in layers]})
    manifest, manifest_size = put_blob(blobs, {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": size},
        "layers": layers})
    with open(os.path.join(top, "index.json"), "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest, "size": manifest_size,
             "annotations": {"org.opencontainers.image.ref.name": "large"}}]}, f)
    with open(os.path.join(top, "oci-layout"), "w") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    print("%d MB in %d MB compressed" % (raw // MB, sum(l["size"] for l in layers) // MB))


main()
