"""compare.py tree A.tar B.tar | config A.json B.json [SAVED-B.tar] - says what differs; exit status 1 when anything does."""
import hashlib, json, sys, tarfile

# What a runtime makes to mount on.
MOUNTS = {".dockerenv", "dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"}


def tree(path):
    found = {}
    with tarfile.open(path) as t:
        for m in t:
            name = m.name.strip("/")
            if name.startswith("./"):
                name = name[2:]
            if name in ("", ".") or name in MOUNTS or name.split("/")[0] in ("dev", "proc", "sys"):
                continue
            data = hashlib.sha256(t.extractfile(m).read()).hexdigest()[:16] if m.isreg() else ""
            kind = b"5" if m.isdir() else b"0" if m.isreg() else m.type
            mode = 0o777 if m.issym() else m.mode & 0o7777
            found[name] = (kind, oct(mode), m.uid, m.gid, data, m.linkname.strip("/") if not m.isreg() else "",
                           (m.devmajor, m.devminor) if m.ischr() or m.isblk() else "")
    # Which of several names of a file is the link is the archive's choice.
    for name, e in list(found.items()):
        if e[0] == tarfile.LNKTYPE and e[5] in found:
            found[name] = found[e[5]]
    if not any(n.startswith("etc/") for n in found):
        found.pop("etc", None)
    return found


# A step that changes nothing: no layer here, one without entries at the peer.
EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
KEYS = ["Env", "Cmd", "Entrypoint", "WorkingDir", "User", "ExposedPorts", "Volumes", "Labels", "StopSignal", "Healthcheck",
        "Shell", "OnBuild"]


def config(path):
    one = json.load(open(path))
    found = {k: one["Config"].get(k) or None for k in KEYS}
    found["Author"] = one.get("Author") or None
    found["Layers"] = len([l for l in one["RootFS"]["Layers"] if l != EMPTY])
    return found


# A directory that was mounted on has another time for the peer, now and then: a layer of nothing but directories that are
# there already, with the same mode and owner.
def layers_with_changes(saved):
    dirs, count = {}, 0
    with tarfile.open(saved) as t:
        for name in json.load(t.extractfile("manifest.json"))[0]["Layers"]:
            changes = False
            for m in tarfile.open(fileobj=t.extractfile(name)):
                is_now = (m.mode & 0o7777, m.uid, m.gid) if m.isdir() else None
                changes |= is_now is None or dirs.get(m.name.strip("/")) != is_now
                dirs[m.name.strip("/")] = is_now
            count += changes
    return count


kind, a, b = sys.argv[1:4]
x, y = (tree if kind == "tree" else config)(a), (tree if kind == "tree" else config)(b)
if len(sys.argv) > 4:
    y["Layers"] = layers_with_changes(sys.argv[4])
for k in sorted(set(x) | set(y)):
    if x.get(k) != y.get(k):
        print(f"{k}: {x.get(k)} here, {y.get(k)} at the peer")
sys.exit(x != y)
