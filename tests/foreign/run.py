#!/usr/bin/env python3
"""Moves users in from the real thing: Flask-SQLAlchemy with Werkzeug, Django, bcrypt from PyPI, Better Auth from npm.

Usage: tests/foreign/run.py BINARY TOOLS, where TOOLS has venv/ and node_modules/ as .ci/run installs them.

Each source is imported, each of its users logs in, and has an argon2id hash afterwards.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

here = pathlib.Path(__file__).parent.resolve()
binary, tools = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
python = tools / "venv/bin/python"
place = pathlib.Path(tempfile.mkdtemp())
place.chmod(0o755)
setting = {**os.environ, "LATCHKEY_DATA_DIR": str(place / "data"), "LATCHKEY_RATE_LIMITS": "off"}
setting.pop("DATABASE_URL", None)


def start():
    out = open(place / "out", "w+")
    server = subprocess.Popen([binary, "serve", "--listen=127.0.0.1:0"], env=setting, stdout=out)
    for _ in range(300):
        found = re.search(r"Listening +(http://\S+)", (place / "out").read_text())
        if found:
            return server, found[1]
        time.sleep(0.1)
    sys.exit("the server did not start")


def latchkey(*arguments, **more):
    command = [binary, "users", *arguments]
    return subprocess.run(command, env=setting, check=True, capture_output=True, text=True, **more).stdout


def log_in(base, name):
    form = {"username": name, "password": f"{name}-walks-9-dogs"}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/api/login", json.dumps(form).encode(), headers)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def hashes():
    users = [json.loads(line) for line in latchkey("export", "--with-hashes").splitlines()]
    return {user["username"]: user.get("password_hash") for user in users}


def move_in(base, title, names, arguments, others=()):
    """Imports, and logs everybody in. `others` come too, but get this status."""
    print(title, flush=True)
    report = json.loads(latchkey("--json", "import", *arguments, "--yes"))
    assert report["cannot_come"] == 0, report
    before = hashes()
    for name in names:
        assert before[name] and not before[name].startswith("$argon2id$v=19$m=19456"), f"{name}: {before[name]}"
        assert log_in(base, name) == 200, name
    for name, status in others:
        assert log_in(base, name) == status, name
    after = hashes()
    for name in names:
        assert after[name].startswith("$argon2id$v=19$m=19456,t=2,p=1$"), f"{name}: {after[name]}"
        assert log_in(base, name) == 200, f"{name}, again"
    print(f"  {len(names)} users moved in", flush=True)


def main(base):
    sockets = place / "data/postgres/run"
    psql = ["psql", "-h", sockets, "-U", "latchkey", "-d", "postgres", "-qc"]
    for database in ["django", "better"]:
        subprocess.run([*psql, f"create database {database}"], check=True)
    url = f"postgres://latchkey@localhost/%s?host={sockets}"

    subprocess.run([python, here / "flask_app.py", place / "app.db"], check=True)
    flask = ["susan", "john", "mary", "david"]
    move_in(base, "Flask-SQLAlchemy and Werkzeug", flask, ["--from-sqlite", place / "app.db"])

    subprocess.run([python, here / "django_app.py", sockets, "django"], check=True)
    hashers = ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "scrypt", "bcrypt", "bcrypt_sha256"]
    django = [f"dj_{hasher}" for hasher in hashers]
    others = [("dj_away", 403), ("dj_nopassword", 401)]
    move_in(base, "Django", django, ["--from-postgres", url % "django"], others)

    made = subprocess.run([python, here / "bcrypt_users.py"], check=True, capture_output=True).stdout
    (place / "users.csv").write_bytes(made)
    move_in(base, "bcrypt", ["lara", "ruby", "supa", "flaskb"], [place / "users.csv"])

    # Node looks for packages beside the script.
    shutil.copy(here / "better_auth.mjs", tools / "better_auth.mjs")
    subprocess.run(["node", "better_auth.mjs", sockets, "better"], cwd=tools, check=True)
    better = ["--from-postgres", url % "better", "--preset", "better-auth", "--column", "username=name"]
    move_in(base, "Better Auth", ["betty", "bob"], better)


server, base = start()
try:
    main(base)
finally:
    server.terminate()
    server.wait()
    shutil.rmtree(place, ignore_errors=True)
