#!/usr/bin/env python3
"""An OCI layout as another tool would write it: documents with a spacing of their own, fast gzip, and
(--attest) an index with an attestation in the manner of BuildKit. For e2e tests.

    foreign-layout.py DIRECTORY BUSYBOX [--attest] [--zstd] [--tag NAME] [--annotate FILE]

FILE has annotations as JSON: of the "manifest", its "descriptor" in an index, the "index".

Prints the digest of the document that index.json names.
"""
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

top, busybox = sys.argv[1], sys.argv[2]
attest, zstd = "--attest" in sys.argv, "--zstd" in sys.argv
tag = sys.argv[sys.argv.index("--tag") + 1] if "--tag" in sys.argv else "1"
notes = json.load(open(sys.argv[sys.argv.index("--annotate") + 1])) if "--annotate" in sys.argv else {}
os.makedirs(os.path.join(top, "blobs/sha256"), exist_ok=True)


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put(data, kind, **more):
    with open(os.path.join(top, "blobs/sha256", sha(data)[7:]), "wb") as f:
        f.write(data)
    return dict({"mediaType": kind, "digest": sha(data), "size": len(data)}, **more)


def text(doc):
    """Neither Go's nor our own way of printing."""
    return json.dumps(doc, indent=3, separators=(" ,", " : ")).encode() + b"\n\n"


def layer(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, data in members:
            i = tarfile.TarInfo(name)
            i.mtime, i.mode = 1600000000, 0o755
            if data is None:
                i.type = tarfile.DIRTYPE
                t.addfile(i)
            else:
                i.size = len(data)
                t.addfile(i, io.BytesIO(data))
    plain = out.getvalue()
    if zstd:
        packed = subprocess.run(["zstd", "-q", "-1", "-c"], input=plain, stdout=subprocess.PIPE, check=True).stdout
        return sha(plain), put(packed, "application/vnd.oci.image.layer.v1.tar+zstd")
    return sha(plain), put(gzip.compress(plain, 1, mtime=1), "application/vnd.oci.image.layer.v1.tar+gzip")


with open(busybox, "rb") as f:
    layers = [layer([("bin", None), ("bin/busybox", f.read()), ("bin/sh", b"#!/bin/busybox sh\n")]),
              layer([("etc", None), ("etc/words", b"one two three\n" * 5000)])]
arch = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
config = put(text({"created": "2020-01-02T03:04:05.6Z", "architecture": arch, "os": "linux", "x-foreign": [1, 2],
                   "config": {"Cmd": ["/bin/busybox", "cat", "/etc/words"], "Env": ["PATH=/bin"]},
                   "rootfs": {"type": "layers", "diff_ids": [d for d, _ in layers]},
                   "history": [{"created_by": "one"}, {"created_by": "two"}]}),
             "application/vnd.oci.image.config.v1+json")
manifest = put(text({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
                     "layers": [d for _, d in layers], "annotations": notes.get("manifest", {"org.example.made": "elsewhere"})}),
               "application/vnd.oci.image.manifest.v1+json")
named = manifest
if attest:
    statement = put(text({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2"}),
                    "application/vnd.in-toto+json", annotations={"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"})
    about = put(text({"architecture": "unknown", "os": "unknown", "config": {},
                      "rootfs": {"type": "layers", "diff_ids": [statement["digest"]]}}),
                "application/vnd.oci.image.config.v1+json")
    attestation = put(text({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                            "config": about, "layers": [statement]}), "application/vnd.oci.image.manifest.v1+json")
    named = put(text({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        dict(manifest, platform={"architecture": arch, "os": "linux"}),
        dict(attestation, platform={"architecture": "unknown", "os": "unknown"}, annotations={
            "vnd.docker.reference.digest": manifest["digest"], "vnd.docker.reference.type": "attestation-manifest"})]}),
        "application/vnd.oci.image.index.v1+json")
elif notes:
    named = put(text({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        dict(manifest, platform={"architecture": arch, "os": "linux"}, annotations=notes["descriptor"])],
        "annotations": notes["index"]}), "application/vnd.oci.image.index.v1+json")
with open(os.path.join(top, "oci-layout"), "w") as f:
    f.write('{"imageLayoutVersion": "1.0.0"}')
with open(os.path.join(top, "index.json"), "wb") as f:
    f.write(text({"schemaVersion": 2, "manifests": [
        dict(named, annotations={"org.opencontainers.image.ref.name": tag})]}))
print(named["digest"])
