"""The users of the well-known Flask tutorial, made by its own stack: python flask_app.py app.db

tests/foreign/app.db was made so, with Flask-SQLAlchemy 3.1 and Werkzeug 3.1; `.ci/run` makes it again each time.
"""
import os
import sys

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import generate_password_hash

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///" + os.path.abspath(sys.argv[1])
db = SQLAlchemy(app)


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(64), index=True, unique=True)
    email = db.Column(db.String(120), index=True, unique=True)
    password_hash = db.Column(db.String(256))

    def set_password(self, password, method):
        self.password_hash = generate_password_hash(password, method)


with app.app_context():
    db.create_all()
    for name, method in [
        ("susan", "scrypt"),
        ("john", "pbkdf2"),
        ("mary", "pbkdf2:sha512:1000"),
        ("david", "pbkdf2:sha1:1000"),
    ]:
        user = User(username=name, email=f"{name}@example.com")
        user.set_password(f"{name}-walks-9-dogs", method)
        db.session.add(user)
    db.session.commit()
