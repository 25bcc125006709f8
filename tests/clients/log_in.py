"""Imports all of a client that openapi-python-client has made, registers, fails to log in, and logs in."""

import importlib
import pkgutil
import sys

import latchkey_client
from latchkey_client.api.account import login, me, register
from latchkey_client.models import LoggedIn, LoginRequest, LoginResponse401, Me
from latchkey_client.models import RegisterRequest, RegisterResponse422, User

for module in pkgutil.walk_packages(latchkey_client.__path__, "latchkey_client."):
    importlib.import_module(module.name)

client = latchkey_client.Client(base_url=sys.argv[1])
password = "green-Lamp-42-river"
form = RegisterRequest(username="paula", email="paula@example.com", password=password)
user = register.sync(client=client, body=form)
assert isinstance(user, User), user
taken = register.sync(client=client, body=form)
assert isinstance(taken, RegisterResponse422), taken
assert taken.errors["username"][0].message == "Please use a different username.", taken
wrong = login.sync(client=client, body=LoginRequest(username="paula", password="wrong"))
assert isinstance(wrong, LoginResponse401) and wrong.code == "invalid_credentials", wrong
answer = login.sync(client=client, body=LoginRequest(username="paula", password=password))
assert isinstance(answer, LoggedIn), answer
who = me.sync(client=client)
assert isinstance(who, Me) and who.username == "paula", who
client.get_httpx_client().close()
print("openapi-python-client: logged in")
