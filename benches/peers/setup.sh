#!/usr/bin/env bash
# Installs the peers, Latchkey's release binary and a PostgreSQL cluster of their own below a folder, for bench.py.
# Usage: benches/peers/setup.sh [FOLDER] [PEER ...]   (by default /var/tmp/latchkey-peers and all peers)
# It runs as root on Debian: the cluster belongs to the account postgres.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
latchkey=$(cd "$here/../.." && pwd)
work=${1:-/var/tmp/latchkey-peers}
shift || true
peers=${*:-flask django better-auth axum-login}

apt-get update -q
apt-get install -qy --no-install-recommends wrk postgresql python3-venv nodejs npm >/dev/null
mkdir -p "$work"
chmod 755 "$work"
cp -r "$here"/. "$work"
cd "$work"
sed -i "s|{latchkey}|$latchkey|" descriptors/latchkey.toml
(cd "$latchkey" && cargo build --release --locked)
for peer in $peers; do
  case $peer in
    flask | django)
      [ -x "venv/$peer/bin/python" ] || python3 -m venv "venv/$peer"
      "venv/$peer/bin/pip" install -q -r "$peer/requirements.txt"
      ;;
    better-auth) (cd "$peer" && npm ci --silent) ;;
    axum-login) (cd "$peer" && cargo build --release --locked) ;;
  esac
done

if [ ! -d pg/data ]; then
  programs=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
  mkdir -p pg
  printf bench >pg/password
  chown -R postgres pg
  runuser -u postgres -- "$programs/initdb" -D "$work/pg/data" -U bench -A scram-sha-256 \
    --pwfile="$work/pg/password" -E UTF8 >/dev/null
  runuser -u postgres -- tee -a "$work/pg/data/postgresql.conf" >/dev/null <<SETTINGS
listen_addresses = '127.0.0.1'
port = 55432
unix_socket_directories = '$work/pg'
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
SETTINGS
fi
echo "Now: cd $work && python3 bench.py verify && python3 bench.py run $peers latchkey --rounds 3"
