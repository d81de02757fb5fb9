#!/bin/bash
# tools/demo.sh - what `./dev run` does after the build: starts the daemon with its embedded defaults and does the
# main job once, with real input: base images from Debian packages, an image from a Dockerfile with nginx in it,
# a container with a published port, a page fetched from it, its logs, a command inside.
# Idempotent: what is there already is kept; the second run takes seconds. Needs root.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
bin=$top/build/bin
corten=$bin/corten
port=${CORTEN_DEMO_PORT:-8080}
cache=${CORTEN_DEMO_CACHE:-/var/cache/corten-demo}
socket=/run/corten/corten.sock
export CORTEN_HOST=unix://$socket

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
note() { printf '  %s\n' "$*"; }

# Shows that something goes on while a slow command runs; its output is kept for the case of failure.
slowly() {
    local what=$1 log pid start=$SECONDS
    shift
    log=$(mktemp)
    "$@" > "$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2> /dev/null; do
        printf '\r  %s … %d s ' "$what" $((SECONDS - start))
        sleep 1
    done
    if ! wait "$pid"; then
        printf '\n'
        tail -20 "$log" >&2
        rm -f "$log"
        echo "demo: $what failed" >&2
        exit 1
    fi
    printf '\r  %s: done in %d s\n' "$what" $((SECONDS - start))
    rm -f "$log"
}

has_image() { "$corten" inspect --type image "$1" > /dev/null 2>&1; }

# --- 1. the daemon -----------------------------------------------------------------------------------
say "1. The daemon"
if "$corten" version > /dev/null 2>&1; then
    note "is running already on $CORTEN_HOST"
else
    mkdir -p /run/corten
    setsid "$bin/cortend" < /dev/null > /run/corten/cortend.log 2>&1 &
    for _ in $(seq 100); do
        "$corten" version > /dev/null 2>&1 && break
        sleep 0.05
    done
    "$corten" version > /dev/null || { cat /run/corten/cortend.log >&2; exit 1; }
    note "started: $CORTEN_HOST, state in /var/lib/corten, log in /run/corten/cortend.log"
fi

# --- 2. base images from Debian packages --------------------------------------------------------------
say "2. Base images, made from Debian packages"
mkdir -p "$cache"
if has_image busybox; then
    note "busybox is there"
else
    root=$(mktemp -d)
    mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/root"
    cp "$(command -v busybox)" "$root/bin/busybox"
    "$root/bin/busybox" --list | while read -r a; do [ "$a" = busybox ] || ln -s busybox "$root/bin/$a"; done
    echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
    echo 'root:x:0:' > "$root/etc/group"
    chmod 1777 "$root/tmp"
    tar -C "$root" -c . | "$corten" import -c 'CMD ["sh"]' - busybox:latest > /dev/null
    rm -rf "$root"
    note "busybox: made from busybox-static"
fi
if has_image debian:minbase; then
    note "debian:minbase is there"
else
    if [ ! -s "$cache/minbase.tar" ]; then
        rm -rf "$cache/root"
        slowly "debootstrap --variant=minbase" debootstrap --variant=minbase bookworm "$cache/root"
        rm -rf "$cache/root/var/cache/apt/archives/"*.deb "$cache/root/dev/"*
        cp "$cache/root/var/lib/dpkg/status" "$cache/status"
        slowly "pack it" tar -C "$cache/root" -cf "$cache/minbase.tar.new" .
        mv "$cache/minbase.tar.new" "$cache/minbase.tar"
        rm -rf "$cache/root"
    fi
    slowly "import debian:minbase" "$corten" import -c 'CMD ["bash"]' "$cache/minbase.tar" debian:minbase
fi

# --- 3. an image from a Dockerfile -----------------------------------------------------------------------
say "3. An image from a Dockerfile: nginx from Debian's packages on debian:minbase"
context=$cache/context
mkdir -p "$context/packages"
if ! ls "$context/packages/"nginx_*.deb > /dev/null 2>&1; then
    wanted=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances nginx |
        grep '^[a-z0-9]' | sort -u)
    get=
    for p in $wanted; do
        grep -qx "Package: $p" "$cache/status" || get="$get $p"
    done
    # _apt, who downloads, may write there.
    chmod 777 "$context/packages"
    fetch() { (cd "$context/packages" && apt-get download $get); }
    slowly "download nginx and what it needs" fetch
    chmod 755 "$context/packages"
fi
cat > "$context/index.html" << 'PAGE'
<!doctype html><title>corten</title><h1>It works.</h1><p>Built, shipped and run by corten.</p>
PAGE
cat > "$context/Dockerfile" << 'DOCKERFILE'
FROM debian:minbase
ARG DEBIAN_FRONTEND=noninteractive
COPY packages/ /tmp/packages/
RUN dpkg -i /tmp/packages/*.deb && rm -rf /tmp/packages
COPY index.html /var/www/html/index.html
RUN ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
DOCKERFILE
"$corten" build -t corten-demo:latest "$context"

# --- 4. run it ---------------------------------------------------------------------------------------------
say "4. Run it with a published port"
"$corten" rm -f corten-demo > /dev/null 2>&1 || true
"$corten" run -d --name corten-demo -p "$port:80" corten-demo:latest
for _ in $(seq 50); do
    curl -fsS "http://127.0.0.1:$port/" > /dev/null 2>&1 && break
    sleep 0.1
done
"$corten" ps
note "a page from http://127.0.0.1:$port/ :"
curl -fsS "http://127.0.0.1:$port/" | sed 's/^/    /'
note "its log:"
"$corten" logs --tail 2 corten-demo 2>&1 | sed 's/^/    /'
note "a command inside:"
"$corten" exec corten-demo nginx -v 2>&1 | sed 's/^/    /'

# --- 5. stop and remove ----------------------------------------------------------------------------------------
say "5. Stop and remove it"
"$corten" stop corten-demo
"$corten" rm corten-demo

say "What to try next"
cat << TXT
  export PATH=$bin:\$PATH CORTEN_HOST=$CORTEN_HOST DOCKER_HOST=$CORTEN_HOST
  corten run -it --rm busybox                      a shell in a container
  corten run -d --name web -p $port:80 corten-demo  the web server again
  docker ps                                        the stock docker CLI works, too
  kill -9 \$(pgrep -x cortend); $bin/cortend &      containers do not notice
TXT
