#!/usr/bin/env python3
"""Round-robin benchmark of cookie-session auth backends (standard library + wrk + psql only).

  bench.py list
  bench.py verify  [peer ...]                     start, seed, check the session rules
  bench.py run     [peer ...] [--rounds 3] [--me-s 10] [--login-s 10] [--reg-s 8] [--ref NAME]
  bench.py report  results/<file>.json            print the Markdown table again

A peer is descriptors/<name>.toml (see README.md there); a path to a .toml file works as well.
"""
import argparse, concurrent.futures as cf, datetime, hashlib, http.client, json, os, pathlib, random, shlex
import signal, socket, statistics, subprocess, sys, time, tomllib, urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
PGBIN = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
PGDATA, PGPORT = HERE / "pg" / "data", 55432
STATE, RESULTS = HERE / "state", HERE / "results"
USERS, SESSIONS, PASSWORD = 1000, 100, "correct-Horse-9-battery"
TICK = os.sysconf("SC_CLK_TCK")
QUIET = 0.2      # cores of other people's work beyond which a measurement is marked as disturbed


# ---------------------------------------------------------------- descriptors
def merge(base, over):
    out = dict(base)
    for k, v in over.items():
        out[k] = {**base[k], **v} if k in ("env", "headers", "register", "login", "logout", "me") \
            and isinstance(base.get(k), dict) else v
        if k in ("register", "login", "logout", "me") and ("json" in v or "form" in v):
            for other in ("json", "form"):        # a body given anew replaces the inherited one
                if other not in v:
                    out[k].pop(other, None)
    return out


def load(name):
    path = pathlib.Path(name) if name.endswith(".toml") else HERE / "descriptors" / f"{name}.toml"
    d = tomllib.loads(path.read_text().replace("{here}", str(HERE)))
    if "extends" in d:
        base = load(str(path.parent / d.pop("extends")))
        d = merge(base, d)
    d["name"] = path.stem
    d.setdefault("host", "127.0.0.1")
    d.setdefault("headers", {})
    d.setdefault("env", {})
    d.setdefault("limit", False)
    for op in ("register", "login", "logout"):
        if op in d:
            d[op].setdefault("method", "POST")
    d["me"].setdefault("method", "GET")
    return d


def fill(x, v):
    if isinstance(x, str):
        for k, val in v.items():
            x = x.replace("{" + k + "}", str(val))
        return x
    if isinstance(x, dict):
        return {k: fill(y, v) for k, y in x.items()}
    if isinstance(x, list):
        return [fill(y, v) for y in x]
    return x


def user(i, tag="u"):
    return {"name": f"{tag}{i:06d}", "email": f"{tag}{i:06d}@example.com", "password": PASSWORD}


def build(d, op, vals=None, session=None):
    """(method, path, headers, body) of one operation."""
    o = d[op]
    headers = {**d["headers"], **o.get("headers", {})}
    body = b""
    if "json" in o:
        body = json.dumps(fill(o["json"], vals or {})).encode()
        headers["Content-Type"] = "application/json"
    elif "form" in o:
        body = urllib.parse.urlencode(fill(o["form"], vals or {})).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if session:
        for k, v in session.items():
            headers[k] = headers[k] + "; " + v if k == "Cookie" and "Cookie" in headers else v
    return o["method"], fill(o["path"], vals or {}), headers, body


class Client:
    def __init__(self, d, timeout=60):
        self.d, self.timeout, self.c = d, timeout, None

    def do(self, op, vals=None, session=None):
        m, p, h, b = build(self.d, op, vals, session)
        for attempt in (0, 1):
            try:
                if self.c is None:
                    self.c = http.client.HTTPConnection(self.d["host"], self.d["port"], timeout=self.timeout)
                self.c.request(m, p, b or (b"" if m == "POST" else None), h)
                r = self.c.getresponse()
                return r.status, r.headers, r.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.c = None           # a keep-alive connection closed by the server
                if attempt:
                    raise

    def login(self, vals):
        s, h, b = self.do("login", vals)
        return s, session_of(self.d, s, h, b), h


def session_of(d, status, headers, body):
    """Header set that carries the session, from a login answer."""
    if not 200 <= status < 300:
        return None
    t = d.get("token")                  # token = { json = "meta.session_token", header = "X-Session-Token", format = "{token}" }
    if t:
        v = json.loads(body)
        for part in t["json"].split("."):
            v = v[part]
        return {t["header"]: t.get("format", "{token}").replace("{token}", v)}
    want, jar = d.get("cookies"), {}
    for c in headers.get_all("Set-Cookie") or []:
        k, _, v = c.split(";", 1)[0].strip().partition("=")
        if (want is None or k in want) and v:
            jar[k] = v
    return {"Cookie": "; ".join(f"{k}={v}" for k, v in jar.items())} if jar else None


# ---------------------------------------------------------------- processes
def stat(pid):
    try:
        raw = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    f = raw[raw.rindex(")") + 2:].split()
    return {"ppid": int(f[1]), "sid": int(f[3]), "cpu": (int(f[11]) + int(f[12])) / TICK,
            "ccpu": (int(f[13]) + int(f[14])) / TICK}


def pids():
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


def tree(sid):
    return [p for p in pids() if (s := stat(p)) and s["sid"] == sid]


def memory(sid):
    rss = pss = 0
    ps = tree(sid)
    for p in ps:
        try:
            for line in open(f"/proc/{p}/smaps_rollup"):
                if line.startswith("Rss:"):
                    rss += int(line.split()[1])
                elif line.startswith("Pss:"):
                    pss += int(line.split()[1])
        except OSError:
            pass
    return {"rss_mib": round(rss / 1024, 1), "pss_mib": round(pss / 1024, 1), "processes": len(ps)}


def cpu_server(sid):
    return sum(s["cpu"] + s["ccpu"] for p in tree(sid) if (s := stat(p)))


def cpu_pg():
    pm = int((PGDATA / "postmaster.pid").read_text().split()[0])
    me = stat(pm)
    return me["cpu"] + me["ccpu"] + sum(s["cpu"] for p in pids() if (s := stat(p)) and s["ppid"] == pm)


def cpu_machine():
    f = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(f) - f[3] - f[4] - f[7]) / TICK, f[7] / TICK     # busy (steal left out), steal


def psql(sql, db="postgres"):
    r = subprocess.run([f"{PGBIN}/psql", "-h", "127.0.0.1", "-p", str(PGPORT), "-U", "bench", "-d", db,
                        "-Atqc", sql], env={**os.environ, "PGPASSWORD": "bench"},
                       capture_output=True, text=True, timeout=120)
    if r.returncode:
        raise RuntimeError(r.stderr)
    return r.stdout.strip()


def ensure_pg():
    if subprocess.run([f"{PGBIN}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(PGPORT)]).returncode:
        subprocess.run(["su", "postgres", "-s", "/bin/bash", "-c",
                        f"{PGBIN}/pg_ctl -D {PGDATA} -l {HERE}/pg/log -w start >/dev/null"],
                       check=True, cwd="/")
    for k, v in (("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")):
        assert psql(f"show {k}") == v, k


class Server:
    def __init__(self, d):
        self.d = d

    def prepare(self):
        db = self.d.get("database")
        if db and not psql(f"select 1 from pg_database where datname='{db}'"):
            psql(f'create database "{db}"')
        for cmd in self.d.get("prepare", []):
            subprocess.run(shlex.split(cmd), cwd=self.d.get("cwd"), env=self.env(), check=True,
                           stdout=subprocess.DEVNULL, timeout=300)

    def env(self):
        return {**os.environ, **{k: str(v) for k, v in self.d["env"].items()}}

    def start(self, session=None, limit=60):
        """Starts; returns seconds to the first good answer of `me` (200 with a session, else any HTTP)."""
        with socket.socket() as s:
            s.settimeout(1)
            if s.connect_ex((self.d["host"], self.d["port"])) == 0:
                raise RuntimeError(f"port {self.d['port']} is taken")
        self.log = open(HERE / "logs" / f"{self.d['name']}.log", "ab")
        t0 = time.perf_counter()
        self.p = subprocess.Popen(shlex.split(self.d["start"]), cwd=self.d.get("cwd"), env=self.env(),
                                  stdout=self.log, stderr=self.log, start_new_session=True)
        while time.perf_counter() - t0 < limit:
            if self.p.poll() is not None:
                raise RuntimeError(f"{self.d['name']} ended with {self.p.returncode}; see logs/")
            try:
                c = Client(self.d, timeout=10)
                status, _, _ = c.do("me", session=session)
                if status == 200 or session is None:
                    return time.perf_counter() - t0
                if status in (401, 403):                 # the stored session is no longer valid
                    return None
            except (ConnectionError, OSError, http.client.HTTPException):
                pass
            time.sleep(0.005)
        raise RuntimeError(f"{self.d['name']} did not answer within {limit} s")

    def stop(self):
        sid = self.p.pid
        try:
            os.kill(sid, signal.SIGTERM)
            self.p.wait(8)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        for p in tree(sid):                              # stragglers of the session we opened
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            self.p.wait(5)
        except subprocess.TimeoutExpired:
            pass
        self.log.close()


# ---------------------------------------------------------------- seeding
def state_of(d):
    f = STATE / f"{d['name']}.json"
    return json.loads(f.read_text()) if f.exists() else {}


def save_state(d, s):
    (STATE / f"{d['name']}.json").write_text(json.dumps(s))


def parallel(n, fn, workers=8):
    def run(chunk):
        return [fn(i) for i in chunk]
    with cf.ThreadPoolExecutor(workers) as ex:
        out = {}
        for chunk, res in zip([range(w, n, workers) for w in range(workers)],
                              ex.map(run, [range(w, n, workers) for w in range(workers)])):
            out.update(zip(chunk, res))
    return [out[i] for i in range(n)]


def seed(d):
    """Registers the users once per database (several descriptors may share one)."""
    mark = STATE / f"seeded-{d['database']}"
    if mark.exists() and int(mark.read_text()) >= USERS:
        return
    t0 = time.time()

    def one(i):
        s, _, b = Client(d).do("register", user(i))
        return s, b[:200]
    res = parallel(USERS, one)
    bad = [r for r in res if not 200 <= r[0] < 300]
    if len(bad) > 0 and not all(r[0] in (400, 409, 422) for r in bad):
        raise RuntimeError(f"{d['name']}: seeding failed {bad[:3]}")
    psql("vacuum analyze", d["database"])
    mark.write_text(str(USERS))
    print(f"  seeded {USERS - len(bad)} users ({len(bad)} were there) in {time.time() - t0:.1f} s")


def sessions(d, n=SESSIONS):
    step = USERS // n

    def one(i):
        s, sess, _ = Client(d).login(user(i * step))
        if not sess:
            raise RuntimeError(f"{d['name']}: login of seeded user {i * step} answered {s}")
        return sess
    return parallel(n, one, 4)


# ---------------------------------------------------------------- load
def calibrate():
    """CPU ms of a fixed job (best of 3) just before a load: how fast this machine is at the moment.
    Neighbours outside the machine slow it without showing up in others_cores."""
    best = float("inf")
    for _ in range(3):
        t = time.process_time()
        hashlib.pbkdf2_hmac("sha256", b"x", b"y" * 16, 100_000)
        best = min(best, time.process_time() - t)
    return round(1e3 * best, 1)


def wrk(d, reqs, conns, seconds, sid, threads=2):
    tmp = HERE / "state" / f"{d['name']}.req"
    with open(tmp, "w") as f:
        for m, p, h, b in reqs:
            f.write("\t".join([m, p, "\x1e".join(f"{k}\x1f{v}" for k, v in h.items()), b.hex()]) + "\n")
    out = HERE / "state" / f"{d['name']}.wrk.json"
    out.unlink(missing_ok=True)
    psql("checkpoint")
    speed = calibrate()
    s0, g0, (m0, st0), t0 = cpu_server(sid), cpu_pg(), cpu_machine(), time.perf_counter()
    p = subprocess.Popen(["wrk", f"-t{threads}", f"-c{conns}", f"-d{seconds}s", "--timeout", "60s", "--latency",
                          "-s", str(HERE / "wrk.lua"), f"http://{d['host']}:{d['port']}", "--",
                          str(tmp), "-", str(threads)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env={**os.environ, "WRK_OUT": str(out)}, text=True)
    peak, wcpu, own0 = {"rss_mib": 0, "pss_mib": 0, "processes": 0}, 0.0, time.process_time()
    t_mem = time.perf_counter() + seconds * 0.6
    while True:
        if (x := stat(p.pid)):
            wcpu = max(wcpu, x["cpu"])                    # wrk's own share, read before it is reaped
        if p.poll() is not None:
            break
        if time.perf_counter() > t_mem:
            peak, t_mem = memory(sid), float("inf")
        if time.perf_counter() - t0 > seconds + 90:
            p.kill()
        time.sleep(0.05)
    wall = time.perf_counter() - t0
    s1, g1, (m1, st1) = cpu_server(sid), cpu_pg(), cpu_machine()
    others = max(0.0, (m1 - m0) - (s1 - s0) - (g1 - g0) - wcpu - (time.process_time() - own0)) / wall
    if not out.exists():
        raise RuntimeError("wrk: " + p.stdout.read())
    r = json.loads(out.read_text())
    good = r["requests"] - r["err_status"]
    sec = r["duration_us"] / 1e6
    return {"per_s": round(good / sec, 2), "good": good, "errors": r["requests"] - good,
            "socket_errors": r["err_connect"] + r["err_read"] + r["err_write"] + r["err_timeout"],
            "p50_ms": round(r["p50_us"] / 1e3, 3), "p99_ms": round(r["p99_us"] / 1e3, 3),
            "max_ms": round(r["max_us"] / 1e3, 3), "seconds": round(sec, 2),
            "cpu_server_ms_per_op": round(1e3 * (s1 - s0) / max(good, 1), 4),
            "cpu_pg_ms_per_op": round(1e3 * (g1 - g0) / max(good, 1), 4),
            "machine_busy_cores": round((m1 - m0) / wall, 2), "steal_cores": round((st1 - st0) / wall, 2),
            "calib_ms": speed, "wrk_cores": round(wcpu / wall, 2), "others_cores": round(others, 2), "quiet": others <= QUIET,
            "server_cores": round((s1 - s0) / wall, 2), "pg_cores": round((g1 - g0) / wall, 2),
            "memory": peak}


def quiet(seconds=1.0):
    """Cores kept busy by others just before a measurement."""
    (a, _), t = cpu_machine(), time.perf_counter()
    time.sleep(seconds)
    (b, _) = cpu_machine()
    return round((b - a) / (time.perf_counter() - t), 2)


def await_quiet(limit):
    """Waits (at most limit s) for two quiet seconds in a row; looks at the machine only, never at a result."""
    t, run = time.perf_counter(), 0
    while True:
        run = run + 1 if quiet(1.0) <= QUIET else 0
        if run == 2 or time.perf_counter() - t > limit:
            return round(time.perf_counter() - t, 1)


def measured(d, reqs, conns, seconds, sid, a):
    """One load; repeated (at most a.retry times) while disturbed. All tries are kept."""
    tries = []
    for _ in range(1 + a.retry):
        if a.wait:
            await_quiet(a.wait)
        tries.append(wrk(d, reqs, conns, seconds, sid))
        if tries[-1]["quiet"]:
            break
    best = min(tries, key=lambda r: r["others_cores"])    # the least disturbed one, whatever its rate
    return {**best, "tries": [{k: t[k] for k in ("per_s", "p99_ms", "others_cores", "quiet", "calib_ms")} for t in tries]}


def measure(d, a, rnd):
    srv = Server(d)
    srv.prepare()
    st = state_of(d)
    r = {"round": rnd, "when": datetime.datetime.now().isoformat(timespec="seconds"), "others_busy_cores": quiet()}
    if not d["limit"] and not st.get("session"):         # first time ever: seed in a separate start
        srv.start()
        try:
            seed(d)
            st["session"] = sessions(d, 1)[0]
            save_state(d, st)
        finally:
            srv.stop()
        srv = Server(d)
    t = srv.start(None if d["limit"] else st["session"])
    try:
        r["start_s"] = None if t is None else round(t, 3)
        sid = srv.p.pid
        time.sleep(2)                                     # let all workers come up
        r["idle"] = memory(sid)
        if d["limit"]:
            reqs = [build(d, "me")]
            wrk(d, reqs, 64, 2, sid)
            r["me"] = measured(d, reqs, 64, a.me_s, sid, a)
            return r
        ses = sessions(d)
        st["session"] = ses[0]
        save_state(d, st)
        reqs = [build(d, "me", session=s) for s in ses]
        wrk(d, reqs, 64, 2, sid)                          # warm-up
        r["me"] = measured(d, reqs, 64, a.me_s, sid, a)
        ids = list(range(USERS))
        random.Random(rnd).shuffle(ids)
        logins = [build(d, "login", user(i)) for i in ids]
        wrk(d, logins, 16, 2, sid)
        r["login"] = measured(d, logins, 16, a.login_s, sid, a)
        tag = f"r{int(time.time()) % 10**8:08d}x"
        regs = [build(d, "register", user(i, tag)) for i in range(8000)]
        if a.wait:
            await_quiet(a.wait)
        r["register"] = wrk(d, regs, 8, a.reg_s, sid)     # one try: its users exist afterwards
        r["after"] = memory(sid)
    finally:
        srv.stop()
    return r


# ---------------------------------------------------------------- verification
def pieces(session):
    """[(header, cookie name or None, value)]"""
    out = []
    for k, v in session.items():
        if k == "Cookie":
            out += [(k, *p.split("=", 1)) for p in v.split("; ")]
        else:
            out.append((k, None, v))
    return out


def parts(session):
    return [n or k for k, n, _ in pieces(session)]


def rebuild(ps):
    out = {k: v for k, n, v in ps if n is None}
    jar = [f"{n}={v}" for k, n, v in ps if n is not None]
    return {**out, "Cookie": "; ".join(jar)} if jar else out


def alter(session, which):
    def flip(v):
        pos = next(i for i in range(len(v) // 3, len(v)) if v[i].isalnum())
        return v[:pos] + ("A" if v[pos] != "A" else "B") + v[pos + 1:]
    return rebuild([(k, n, flip(v) if (n or k) in which else v) for k, n, v in pieces(session)])


def only(session, part):
    return rebuild([p for p in pieces(session) if (p[1] or p[0]) == part])


def verify(d):
    srv = Server(d)
    srv.prepare()
    srv.start()
    v = {}
    try:
        c = Client(d)
        if d["limit"]:
            return {"note": "no session check (ceiling)"}
        seed(d)
        u, w = user(0), user(10)
        v["me_without_cookie"] = c.do("me")[0]
        s, a, h = c.login(u)
        v["login"] = s
        v["set_cookie"] = [x.split(";", 1)[0].split("=")[0] + ";" + x.split(";", 1)[1] if ";" in x else x
                           for x in h.get_all("Set-Cookie") or []]
        _, b, _ = c.login(u)
        _, other, _ = c.login(w)
        s, _, body = c.do("me", session=a)
        v["me_with_cookie"], v["me_is_right_user"] = s, u["email"].encode() in body
        v["me_bytes"] = len(body)
        _, _, body = c.do("me", session=other)
        v["second_user_is_right_user"] = w["email"].encode() in body
        # Every credential on its own, then all at once: a peer may hold more than one cookie, and an
        # altered cache cookie may rightly fall back to the row behind the intact token.
        v["altered_one"] = {}
        for part in parts(a):
            st_, _, b_ = c.do("me", session=alter(a, {part}))
            v["altered_one"][part] = [st_, "own user" if u["email"].encode() in b_ else "none"]
        v["me_all_altered"] = c.do("me", session=alter(a, set(parts(a))))[0]
        v["wrong_password"] = c.do("login", {**u, "password": PASSWORD + "x"})[0]
        v["unknown_user"] = c.do("login", {**user(0, "nobody")})[0]
        v["register_same_user"] = c.do("register", u)[0]

        def med(vals):
            ts = []
            for i in range(7):
                t = time.perf_counter()
                c.do("login", vals(i))
                ts.append(time.perf_counter() - t)
            return round(1e3 * statistics.median(ts), 1)
        v["ms_wrong_password"] = med(lambda i: {**user(i + 20), "password": PASSWORD + "x"})
        v["ms_unknown_user"] = med(lambda i: user(i, "nobody"))
        v["logout"] = c.do("logout", session=a)[0]
        v["old_cookie_after_logout"] = c.do("me", session=a)[0]
        if len(parts(a)) > 1:               # which of several cookies outlives the logout
            v["after_logout_only"] = {p: c.do("me", session=only(a, p))[0] for p in parts(a)}
        v["other_session_of_user_after_logout"] = c.do("me", session=b)[0]
        v["revokes_server_side"] = v["old_cookie_after_logout"] in (401, 403)
        ok_logout = d["logout"].get("ok", [])
        v["pass"] = (v["me_without_cookie"] in (401, 403) and v["me_with_cookie"] == 200 and v["me_is_right_user"]
                     and v["second_user_is_right_user"] and v["me_all_altered"] in (401, 403)
                     and 400 <= v["wrong_password"] < 500 and 400 <= v["unknown_user"] < 500
                     and (200 <= v["logout"] < 400 or v["logout"] in ok_logout))
    finally:
        srv.stop()
    return v


# ---------------------------------------------------------------- report
def med(xs, nd=2):
    xs = [x for x in xs if x is not None]
    return round(statistics.median(xs), nd) if xs else None


def get(r, path):
    for p in path.split("."):
        r = r.get(p) if isinstance(r, dict) else None
    return r


def report(data, ref=None):
    peers = data["peers"]
    ref = ref or data.get("ref") or next((p for p in peers if not peers[p]["limit"]), None)
    L = [f"Rounds: {data['rounds']}; me {data['me_s']} s x 64 connections, login {data['login_s']} s x 16, "
         f"register {data['reg_s']} s x 8; medians over the rounds, [min–max]. Ratios are paired within a round, "
         f"against `{ref}`.", "",
         "| peer | me req/s | ratio | p50 ms | p99 ms | login/s | ratio | p50 ms | p99 ms | register/s | p99 ms | idle RSS (PSS) MiB | load RSS (PSS) | start s | errors |",
         "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    by = {n: {r["round"]: r for r in data["runs"] if r["peer"] == n and "error" not in r} for n in peers}

    def col(n, path, nd=2):
        return med([get(r, path) for r in by[n].values()], nd)

    def rng(n, path, nd=0):
        xs = [get(r, path) for r in by[n].values() if get(r, path) is not None]
        if not xs:
            return "–"
        f = (lambda x: f"{x:,.0f}") if nd == 0 else (lambda x: f"{x:.{nd}f}")
        return f(statistics.median(xs)) + (f" [{f(min(xs))}–{f(max(xs))}]" if len(xs) > 1 else "")

    def ratio(n, path):
        xs = [get(r, path) / get(by[ref][k], path) for k, r in by[n].items()
              if ref in by and k in by[ref] and get(r, path) and get(by[ref][k], path)]
        return f"{statistics.median(xs):.2f}" if xs else "–"

    def show(x):
        return "–" if x is None else f"{x}"
    for n in peers:
        if not by[n]:
            L.append(f"| {n} | failed |" + " |" * 13)
            continue
        errs = sum((get(r, f"{o}.errors") or 0) + (get(r, f"{o}.socket_errors") or 0)
                   for r in by[n].values() for o in ("me", "login", "register"))
        load = [max(((get(r, f"{o}.memory.rss_mib") or 0, get(r, f"{o}.memory.pss_mib") or 0)
                     for o in ("me", "login", "register"))) for r in by[n].values()]
        L.append("| " + " | ".join([
            n, rng(n, "me.per_s"), ratio(n, "me.per_s"), show(col(n, "me.p50_ms")), show(col(n, "me.p99_ms", 1)),
            rng(n, "login.per_s", 1), ratio(n, "login.per_s"), show(col(n, "login.p50_ms", 0)),
            show(col(n, "login.p99_ms", 0)), rng(n, "register.per_s", 1), show(col(n, "register.p99_ms", 0)),
            f"{show(col(n, 'idle.rss_mib', 0))} ({show(col(n, 'idle.pss_mib', 0))})",
            f"{med([x[0] for x in load], 0)} ({med([x[1] for x in load], 0)})",
            show(col(n, "start_s")), str(errs)]) + " |")
    L += ["", "CPU per operation (server + Postgres, ms; less disturbed by neighbours than the rates) and who was busy:", "",
          "| peer | me: server | me: pg | login: server | login: pg | register: server | me: cores server/pg/machine | others' cores me/login/register | quiet rounds me/login/register | calibration ms me/login/register |",
          "|---|---|---|---|---|---|---|---|---|"]
    for n in peers:
        if by[n]:
            L.append("| " + " | ".join([n] + [show(col(n, p, nd)) for p, nd in (
                ("me.cpu_server_ms_per_op", 4), ("me.cpu_pg_ms_per_op", 4), ("login.cpu_server_ms_per_op", 1),
                ("login.cpu_pg_ms_per_op", 2), ("register.cpu_server_ms_per_op", 1))] + [
                f"{show(col(n, 'me.server_cores'))}/{show(col(n, 'me.pg_cores'))}/{show(col(n, 'me.machine_busy_cores'))}",
                "/".join(show(col(n, f"{o}.others_cores")) for o in ("me", "login", "register")),
                "/".join(f"{sum(bool(get(r, f'{o}.quiet')) for r in by[n].values())} of {len(by[n])}"
                         for o in ("me", "login", "register") if col(n, f"{o}.per_s") is not None),
                "/".join(show(col(n, f"{o}.calib_ms", 1)) for o in ("me", "login", "register"))]) + " |")
    L += ["", "| peer | what | hash | session |", "|---|---|---|---|"]
    for n, p in peers.items():
        L.append(f"| {n} | {p['title']} | {p['hash']} | {p['session_kind']} |")
    return "\n".join(L)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("cmd", choices=["list", "verify", "run", "report"])
    ap.add_argument("names", nargs="*")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--me-s", type=int, default=10)
    ap.add_argument("--login-s", type=int, default=10)
    ap.add_argument("--reg-s", type=int, default=8)
    ap.add_argument("--wait", type=float, default=0, help="before each load wait up to so many s for a quiet machine")
    ap.add_argument("--retry", type=int, default=0, help="repeat a disturbed me/login load so many times")
    ap.add_argument("--ref")
    ap.add_argument("--out")
    a = ap.parse_args()
    for x in (STATE, RESULTS, HERE / "logs"):
        x.mkdir(exist_ok=True)
    names = a.names or sorted(p.stem for p in (HERE / "descriptors").glob("*.toml"))
    if a.cmd == "list":
        for n in names:
            print(f"{n:24} {load(n)['title']}")
        return
    if a.cmd == "report":
        print(report(json.loads(pathlib.Path(a.names[0]).read_text()), a.ref))
        return
    ensure_pg()
    ds = [load(n) for n in names]
    stamp = a.out or datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    if a.cmd == "verify":
        f = RESULTS / "verify.json"
        allv = json.loads(f.read_text()) if f.exists() else {}
        for d in ds:
            print(d["name"], flush=True)
            try:
                allv[d["name"]] = verify(d)
            except Exception as e:                        # one broken peer must not end the rest
                allv[d["name"]] = {"error": repr(e)}
            print("  " + json.dumps(allv[d["name"]]), flush=True)
            f.write_text(json.dumps(allv, indent=1))
        return
    data = {"rounds": a.rounds, "me_s": a.me_s, "login_s": a.login_s, "reg_s": a.reg_s, "ref": a.ref,
            "started": datetime.datetime.now().isoformat(timespec="seconds"), "cpus": os.cpu_count(),
            "peers": {d["name"]: {k: d.get(k) for k in ("title", "hash", "session_kind", "start", "limit")} for d in ds},
            "runs": []}
    for rnd in range(1, a.rounds + 1):
        order = ds[(rnd - 1) % len(ds):] + ds[:(rnd - 1) % len(ds)]   # another one goes first each round
        for d in order:
            print(f"round {rnd} {d['name']}", flush=True)
            try:
                r = measure(d, a, rnd)
                print("  " + json.dumps({o: {k: r[o][k] for k in ("per_s", "p50_ms", "p99_ms", "errors")}
                                         for o in ("me", "login", "register") if o in r}), flush=True)
            except Exception as e:
                r = {"round": rnd, "error": repr(e)}
                print("  FAILED", repr(e), flush=True)
            data["runs"].append({"peer": d["name"], **r})
            (RESULTS / f"{stamp}.json").write_text(json.dumps(data, indent=1))
    md = report(data)
    (RESULTS / f"{stamp}.md").write_text(md + "\n")
    print(md)
    print(f"\nresults/{stamp}.json, results/{stamp}.md")


if __name__ == "__main__":
    main()
