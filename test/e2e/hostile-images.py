#!/usr/bin/env python3
"""Makes image archives that want to harm. For t1130.

    hostile-images.py DIRECTORY [--claims]

Writes DIRECTORY/NAME.tar for each and prints a line "NAME<tab>what load must say (a regular expression)",
or "NAME<tab>=" for those that are to be loaded, because what they ask for can be done without harm.
With --claims: good.tar, and archives whose configs say that other bytes are its layer ("NAME<tab>tag").
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import zlib

top = sys.argv[1]


def sha(data):
    return hashlib.sha256(data).hexdigest()


# --- layers -----------------------------------------------------------------------------------------
def entry(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o644, **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def symlink(name, to):
    return entry(name, kind=tarfile.SYMTYPE, link=to)


def hardlink(name, to):
    return entry(name, kind=tarfile.LNKTYPE, link=to)


def patched(tar, offset, data):
    """The first header with other bytes, its checksum made right again."""
    head = bytearray(tar[:512])
    head[offset:offset + len(data)] = data
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + tar[512:]


# --- archives ---------------------------------------------------------------------------------------
def archive(name, files, links=()):
    with tarfile.open(os.path.join(top, name + ".tar"), "w") as tar:
        for path, data in files:
            info, _ = entry(path, data)
            tar.addfile(info, io.BytesIO(data))
        for path, to in links:
            tar.addfile(symlink(path, to)[0])


def config(*diff_ids, **more):
    doc = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": list(diff_ids)}}
    doc.update(more)
    return json.dumps(doc).encode()


def docker(name, wanted, *layers, blobs=None, doc=None, manifest=None, tags=("hostile:1",)):
    """docker-archive; blobs: what is in the files instead of the plain layers."""
    doc = doc or config(*["sha256:" + sha(l) for l in layers])
    files = [("%d/layer.tar" % i, b) for i, b in enumerate(blobs or layers)]
    item = {"Config": "config.json", "RepoTags": list(tags), "Layers": [f[0] for f in files]}
    files += [("config.json", doc), ("manifest.json", manifest if manifest is not None else json.dumps([item]).encode())]
    archive(name, files)
    print("%s\t%s" % (name, wanted))


OCI = "application/vnd.oci.image."


def oci(name, wanted, plain=layer(entry("f", b"x")), damage=lambda d: None, blobs=(), raw_index=None, annotations=None):
    """OCI layout; damage changes the documents before their digests are taken."""
    d = {"layer": plain, "config": json.loads(config("sha256:" + sha(plain))), "manifest": None, "index": None,
         "layout": {"imageLayoutVersion": "1.0.0"}, "wrong": {}}
    d["layer_type"] = OCI + "layer.v1.tar"
    d["manifest_type"] = OCI + "manifest.v1+json"
    damage(d)
    cfg = json.dumps(d["config"]).encode()
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "config": {"mediaType": OCI + "config.v1+json", "digest": "sha256:" + sha(cfg), "size": len(cfg)},
                "layers": [{"mediaType": d["layer_type"], "digest": "sha256:" + sha(plain), "size": len(plain)}]}
    manifest.update(d["manifest"] or {})
    man = d.get("raw_manifest") or json.dumps(manifest).encode()
    index = {"schemaVersion": 2, "manifests": [
        {"mediaType": d["manifest_type"], "digest": "sha256:" + sha(man), "size": len(man), "annotations": annotations or {}}]}
    index.update(d["index"] or {})
    files = [("oci-layout", json.dumps(d["layout"]).encode()), ("index.json", raw_index or json.dumps(index).encode())]
    for data in (plain, cfg, man) + tuple(blobs):
        files.append(("blobs/sha256/" + sha(data), d["wrong"].get(sha(data), data)))
    if d.get("wrong_layer"):
        files = [(p, d["wrong_layer"] if p.endswith(sha(plain)) else b) for p, b in files]
    archive(name, files)
    print("%s\t%s" % (name, wanted))


plain = layer(entry("f", b"x"))


# --- other bytes under a known diff id ------------------------------------------------------------------
def claims():
    pad = os.urandom(300000)  # large enough to be unpacked on the way
    good, evil = (layer(entry("word", w), entry("pad", pad)) for w in (b"good", b"evil"))
    evil = {"plain": evil, "gzip": gzip.compress(evil, mtime=0), "rubbish": gzip.compress(pad, mtime=0), "small": b"evil"}

    def item(tag, doc, name):
        return {"Config": tag + ".json", "RepoTags": [tag + ":1"], "Layers": [name]}, (tag + ".json", doc)

    honest = item("good", config("sha256:" + sha(good)), "good.tar")
    archive("good", [("good.tar", gzip.compress(good)), honest[1], ("manifest.json", json.dumps([honest[0]]).encode())])
    for kind, data in evil.items():
        doc = config("sha256:" + sha(good), author=kind)
        claim = item(kind, doc, kind + ".tar")
        head = [("manifest.json", json.dumps([claim[0]]).encode()), claim[1]]
        body = [(kind + ".tar", data)]
        archive(kind + "-first", head + body)
        archive(kind + "-last", body + head[::-1])
        print("%s-first\t%s:1\n%s-last\t%s:1" % (kind, kind, kind, kind))
        both = [("good.tar", gzip.compress(good)), honest[1]]
        archive(kind + "-beside", [("manifest.json", json.dumps([honest[0], claim[0]]).encode()), claim[1]] + both + body)
        print("%s-beside\t%s:1" % (kind, kind))
    tag = {"org.opencontainers.image.ref.name": "layout:1"}
    oci("layout", "layout:1", evil["gzip"], lambda d: d.update(
        config=json.loads(config("sha256:" + sha(good))), layer_type=OCI + "layer.v1.tar+gzip"), annotations=tag)


if "--claims" in sys.argv:
    claims()
    sys.exit(0)

# --- names that lead out, links that lead out ---------------------------------------------------------
for i, path in enumerate(["../../../evil", "/../evil", "a/../../evil", "..", "./../../evil"]):
    docker("climb%d" % i, "leads out of the archive's root", layer(entry(path, b"evil")))
docker("absolute", "=", layer(entry("/etc/inside", b"x")))
docker("parent-link", "=", layer(symlink("l", "/"), entry("l/evil", b"evil")))
docker("parent-climbs", "=", layer(symlink("l", "../../../../../../.."), entry("l/evil", b"evil")))
docker("parent-canary", "=", layer(symlink("l", top), entry("l/canary", b"evil")))
docker("hard-outside", "leads out|not found|No such file", layer(hardlink("h", "../../../../etc/passwd")))
docker("hard-absolute", "No such file", layer(hardlink("h", "/etc/passwd")))
docker("hard-through-link", "No such file|not a|directory", layer(symlink("l", top), hardlink("h", "l/canary")))
docker("hard-to-directory", "hard link to a directory", layer(entry("d", kind=tarfile.DIRTYPE), hardlink("h", "d")))
docker("whiteout-climbs", "whiteout of nothing|leads out", layer(entry("a/.wh...")))
docker("whiteout-device", "would be a whiteout", layer(entry("w", kind=tarfile.CHRTYPE, devmajor=0, devminor=0)))
docker("device", "=", layer(entry("null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)))
docker("symlink-empty", "link without a target", patched(layer(symlink("l", "x")), 157, b"\0"))

# --- too much -----------------------------------------------------------------------------------------
docker("deep", "deeper than 512", layer(entry("/".join(["d"] * 600), b"x")))
docker("long-part", "longer than 255 bytes", layer(entry("n" * 256, b"x")))
docker("long-path", "longer than 4095 bytes", layer(entry("/".join(["n" * 200] * 30), b"x")))
docker("long-target", "longer than 4095 bytes", layer(symlink("l", "t" * 5000)))
pack = zlib.compressobj(9, zlib.DEFLATED, 31)
member = pack.compress(bytes(64 << 20)) + pack.flush()
bomb = gzip.compress(plain) + member * 40  # 2.5 GiB after the end of the tar
docker("bomb", "expands more than", blobs=[bomb], doc=config("sha256:" + "1" * 64))
docker("xattr-huge", "extended header is larger", layer(entry("f", b"x", pax_headers={"SCHILY.xattr.user.a": "v" * (2 << 20)})))
docker("many-layers", "more than 127", doc=config(*["sha256:" + "%064x" % i for i in range(200)]))
docker("big-config", "larger than", plain, doc=config("sha256:" + sha(plain), comment="c" * (2 << 20)))
docker("big-manifest", "larger than", plain, manifest=b"[" + b" " * (5 << 20) + b"]")

# --- sizes and numbers that lie -------------------------------------------------------------------------
docker("size-lies", "unexpected end", patched(plain, 124, b"00000777777\0"))
docker("size-negative", "out of range", patched(plain, 124, b"\xff" * 12))
docker("size-huge", "more than [0-9]+ bytes|unexpected end", patched(plain, 124, b"\x80\0\0\0\x7f" + b"\xff" * 7))
docker("size-text", "not a number", patched(plain, 124, b"12x4567890\0 "))
docker("uid-negative", "out of range", patched(plain, 108, b"\xff" * 8))
docker("checksum", "wrong checksum", b"X" + plain[1:])
docker("cut", "unexpected end", plain[:700])
docker("pax-lies", "pax|record", patched(layer(entry("f" * 120, b"x")), 124, b"00000000012\0"))
docker("unknown-type", "unknown type", patched(plain, 156, b"Z"))

# --- digests ------------------------------------------------------------------------------------------
docker("diff-id", "diff id", plain, doc=config("sha256:" + "2" * 64))
docker("diff-id-gzip", "diff id", plain, blobs=[gzip.compress(plain)], doc=config("sha256:" + "2" * 64))
oci("blob-digest", "has another digest", damage=lambda d: d.update(wrong_layer=layer(entry("f", b"y"))))
oci("config-digest", "image config",
    damage=lambda d: d.update(manifest={"config": {"mediaType": OCI + "config.v1+json", "digest": "sha256:" + sha(plain), "size": len(plain)}}))
oci("size-of-blob", "descriptor says", damage=lambda d: d.update(manifest={"layers": [
    {"mediaType": OCI + "layer.v1.tar", "digest": "sha256:" + sha(plain), "size": 5}]}))
oci("algorithm", "digest|md5", damage=lambda d: d.update(manifest={"layers": [
    {"mediaType": OCI + "layer.v1.tar", "digest": "md5:" + "0" * 32, "size": 5}]}))

# --- documents ------------------------------------------------------------------------------------------
docker("no-json", "manifest.json", plain, manifest=b"{]")
docker("deep-json", "deep|nest", plain, manifest=b"[" * 100000 + b"]" * 100000)
docker("twice", "twice|duplicate", plain, manifest=b'[{"Config":"config.json","Config":"0/layer.tar","Layers":["0/layer.tar"]}]')
docker("twice-config", "twice|duplicate", plain,
       doc=config("sha256:" + sha(plain)).replace(b'"os":', b'"os": "windows", "os":'))
docker("numbers", "Layers", plain, manifest=b'[{"Config":"config.json","Layers":5}]')
docker("no-config", "no config", plain, manifest=b'[{"Config":"../../../etc/passwd","Layers":["0/layer.tar"]}]')
docker("no-layer", "no layer", plain, manifest=b'[{"Config":"config.json","Layers":["/etc/passwd"]}]')
docker("length", "length mismatch", plain, manifest=b'[{"Config":"config.json","Layers":[]}]')
docker("tag-bad", "tag", plain, tags=["../../x:y"])
docker("tag-digest", "invalid tag", plain, tags=["x@sha256:" + "0" * 64])
docker("windows", "windows", plain, doc=config("sha256:" + sha(plain), os="windows"))
docker("utf8", "UTF-8|utf-8", plain, doc=config("sha256:" + sha(plain), comment="@").replace(b"@", b"\xff\xfe"))
docker("nothing", "no image", manifest=b"[]")
oci("schema1", "schema 1",
    damage=lambda d: d.update(manifest_type="application/vnd.docker.distribution.manifest.v1+prettyjws",
                              raw_manifest=b'{"schemaVersion":1,"name":"x","tag":"y","fsLayers":[],"history":[]}'))
oci("schema1-untold", "schema 1|schemaVersion",
    damage=lambda d: d.update(raw_manifest=b'{"schemaVersion":1,"name":"x","tag":"y","fsLayers":[],"history":[]}'))
oci("layer-type", "application/x-evil", damage=lambda d: d.update(layer_type="application/x-evil"))
oci("two-faced", "manifests", damage=lambda d: d.update(manifest={"manifests": []}))
oci("index-digest", "has no blob",
    damage=lambda d: d.update(index={"manifests": [{"mediaType": OCI + "manifest.v1+json", "digest": "sha256:" + "3" * 64, "size": 3}]}))
oci("index-in-index", "has no blob|no image for", damage=lambda d: d.update(index={"manifests": [
    {"mediaType": OCI + "index.v1+json", "digest": "sha256:" + "4" * 64, "size": 3}]}))
oci("layout-version", "layout version", damage=lambda d: d.update(layout={"imageLayoutVersion": "9"}))
archive("links-loop", [("0/layer.tar", plain)], [("manifest.json", "other"), ("other", "manifest.json")])
print("links-loop\tno manifest.json, index.json or repositories")
archive("link-out", [("0/layer.tar", plain)], [("manifest.json", "../../../../etc/passwd")])
print("link-out\tleads out")
with open(os.path.join(top, "xz.tar"), "wb") as f:
    f.write(b"\xfd7zXZ\0" + bytes(100))
print("xz\tdamaged or cut xz data")
with open(os.path.join(top, "rubbish.tar"), "wb") as f:
    f.write(os.urandom(2000))
print("rubbish\ttar archive")
