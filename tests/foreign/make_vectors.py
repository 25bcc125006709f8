#!/usr/bin/env python3
"""Makes vectors.json: hashes by the libraries of other systems, which the tests verify.

    python3 -m venv v && v/bin/pip install werkzeug==3.1.* django==5.2.* argon2-cffi passlib bcrypt==4.0.* flask-bcrypt
    npm install --prefix v better-auth@1
    v/bin/python make_vectors.py > vectors.json
"""
import json
import pathlib
import subprocess
import sys

import bcrypt
import django
from django.conf import settings
from flask_bcrypt import Bcrypt
from passlib import hash as passlib
from werkzeug.security import generate_password_hash

settings.configure(PASSWORD_HASHERS=[])
django.setup()
from django.contrib.auth import hashers  # noqa: E402

PASSWORDS = ["green-Lamp-42-river", "pässwörd \u2014 ß", "x" * 71 + "é and more than bcrypt looks at"]
DJANGO = {
    "pbkdf2_sha256": hashers.PBKDF2PasswordHasher(),
    "pbkdf2_sha1": hashers.PBKDF2SHA1PasswordHasher(),
    "argon2": hashers.Argon2PasswordHasher(),
    "scrypt": hashers.ScryptPasswordHasher(),
    "bcrypt": hashers.BCryptPasswordHasher(),
    "bcrypt_sha256": hashers.BCryptSHA256PasswordHasher(),
}
BETTER_AUTH = "import { hashPassword } from 'better-auth/crypto'; console.log(await hashPassword(process.argv[1]))"


def better_auth(password):
    place = pathlib.Path(sys.prefix)
    command = ["node", "--input-type=module", "-e", BETTER_AUTH, password]
    return subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stdout.strip()


def php(password):
    """What Laravel does, without PHP: the same bcrypt under another name."""
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(8)).decode().replace("$2b$", "$2y$")


def made(password):
    for method in ["scrypt", "scrypt:16384:8:2", "pbkdf2", "pbkdf2:sha1:1000", "pbkdf2:sha512:1000"]:
        yield f"werkzeug {method}", generate_password_hash(password, method)
    for name, hasher in DJANGO.items():
        yield f"django {name}", hasher.encode(password, hasher.salt())


def cheaply(password):
    """The formats whose bytes could go wrong, so that the test of other passwords is fast."""
    yield "werkzeug scrypt", generate_password_hash(password, "scrypt:1024:8:1")
    yield "werkzeug pbkdf2", generate_password_hash(password, "pbkdf2:sha256:1000")
    for name in ["pbkdf2_sha256", "pbkdf2_sha1"]:
        yield f"django {name}", DJANGO[name].encode(password, "salt", 1000)
    for name in ["bcrypt", "bcrypt_sha256"]:
        DJANGO[name].rounds = 8
        yield f"django {name}", DJANGO[name].encode(password, DJANGO[name].salt())


def by_others(password):
    yield "passlib pbkdf2-sha1", passlib.pbkdf2_sha1.using(rounds=1000).hash(password)
    yield "passlib pbkdf2-sha256", passlib.pbkdf2_sha256.using(rounds=1000).hash(password)
    yield "passlib pbkdf2-sha512", passlib.pbkdf2_sha512.using(rounds=1000).hash(password)
    yield "passlib scrypt", passlib.scrypt.using(rounds=8).hash(password)
    yield "passlib argon2i", passlib.argon2.using(type="I", rounds=2, memory_cost=1024).hash(password)
    yield "passlib argon2id", passlib.argon2.using(rounds=1, memory_cost=1024).hash(password)
    yield "passlib bcrypt_sha256", passlib.bcrypt_sha256.using(rounds=8).hash(password)
    yield "passlib bcrypt_sha256 v1", passlib.bcrypt_sha256.using(rounds=8, version=1).hash(password)
    yield "bcrypt 2a", bcrypt.hashpw(password.encode(), bcrypt.gensalt(8, b"2a")).decode()
    yield "bcrypt 2b", bcrypt.hashpw(password.encode(), bcrypt.gensalt(8)).decode()
    yield "laravel", php(password)
    yield "flask-bcrypt", Bcrypt().generate_password_hash(password, 8).decode()
    yield "better-auth", better_auth(password)


def all_of(password):
    yield from made(password) if password == PASSWORDS[0] else cheaply(password)
    yield from by_others(password)


vectors = [
    {"made_by": by, "password": password, "hash": stored}
    for password in PASSWORDS for by, stored in all_of(password)
]
print(json.dumps(vectors, indent=1, ensure_ascii=False))
