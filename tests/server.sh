# To be sourced: runs a server in a place of its own, and learns where it listens.

place=$(mktemp -d)
chmod 755 "$place"
server=
trap 'stop_server; rm -rf "$place"' EXIT

# Starts a server by this command, with its data below $place. Its address is then in $base.
start_server() {
  : >"$place/out"
  LATCHKEY_DATA_DIR=$place/data LATCHKEY_LISTEN=127.0.0.1:0 "$@" >"$place/out" 2>>"$place/log" &
  server=$!
  for _ in $(seq 3000); do
    base=$(sed -n 's|^  Listening *\(http://[^ ]*\).*$|\1|p' "$place/out")
    [ -z "$base" ] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  cat "$place/log"
  exit 1
}
stop_server() { [ -z "$server" ] || { kill "$server"; wait "$server" || true; server=; }; }
