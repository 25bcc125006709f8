"""Users of Django's own models in PostgreSQL: python django_app.py HOST DATABASE"""
import sys

import django
from django.conf import settings
from django.core.management import call_command

host, database = sys.argv[1:]
settings.configure(
    SECRET_KEY="only for a test",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": host, "NAME": database, "USER": "latchkey",
    }},
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.BCryptPasswordHasher",
        "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    ],
    USE_TZ=True,
)
django.setup()
call_command("migrate", verbosity=0)

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402

for hasher in ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "scrypt", "bcrypt", "bcrypt_sha256"]:
    name = f"dj_{hasher}"
    User.objects.create(
        username=name, email=f"{name}@example.com", password=make_password(f"{name}-walks-9-dogs", hasher=hasher),
    )
User.objects.create(
    username="dj_away", email="dj_away@example.com", is_active=False, password=make_password("dj_away-walks-9-dogs"),
)
# Somebody who comes in by another way has no password that could be used.
User.objects.create(username="dj_nopassword", email="dj_nopassword@example.com", password=make_password(None))
