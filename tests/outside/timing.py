"""Does the time of an answer tell who exists? Usage: timing.py URL logins|mails|changes|registrations

logins: those that fail. mails and changes: requests for a link (SECURITY F1). registrations: with a free and with a taken
address, against a server with LATCHKEY_REQUIRE_VERIFIED_EMAIL=on.

The users: one with today's hash parameters, one with the older parameters they registered with, one who is disabled,
and one who does not exist; each by name and by e-mail address. Of the logins also one who came with a hash of another
system that costs less than ours.

A busy machine makes single answers slower by any factor, but all kinds alike. So the kinds take turns in random order,
each time counts as a ratio to the median of its round, and a kind is as slow as the median of its ratios. What looks
suspicious is measured on, until noise has averaged out. Then one of the kinds really takes 10 % longer, and must be
found out: otherwise the measurement would prove nothing.
"""

import http.client
import json
import random
import statistics
import sys
import time
import uuid

ROUNDS = 60
MOST_ROUNDS = 300
# Between the slowest and the fastest kind: nothing to look at again; the most that is allowed in the end.
CLEAR = 1.04
ALLOWED = 1.07
TOO_MUCH = 0.10

host, what = sys.argv[1].removeprefix("http://"), sys.argv[2]
# Inside a session a wrong password is a mistake in a field.
EXPECTED = {"/api/login": 401, "/api/reauthenticate": 422, "/api/password/forgot": 202, "/api/email/verify/resend": 202,
            "/api/email/change": 202, "/api/register": 201}
connection = http.client.HTTPConnection(host)


def seconds(path, form, headers):
    body = json.dumps(form)
    began = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - began
    if answer.status != EXPECTED[path]:
        raise SystemExit(f"{path} {form} answered {answer.status}")
    return took


def login_cookie(name):
    body = json.dumps({"username": name, "password": "green-Lamp-42-river"})
    connection.request("POST", "/api/login", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{name} cannot log in: {answer.status}")
    cookies = (value.split(";")[0] for value in answer.headers.get_all("Set-Cookie"))
    return next(cookie for cookie in cookies if "session" in cookie)


def slowness(rounds):
    """Of each kind: the median of its times, each as a ratio to the median of its round."""
    middles = [statistics.median(times.values()) for times in rounds]
    return {case: statistics.median(times[case] / middle for times, middle in zip(rounds, middles)) for case in cases}


def spread(rounds):
    found = slowness(rounds).values()
    return max(found) / min(found)


names = ["today", "older", "disabled", "nobody"]


def logins():
    """Each case: the path, what makes a form, and the headers."""
    wrong = {"password": "wrong-Password-9"}
    case = lambda name: ("/api/login", lambda: {"username": name, **wrong}, {})
    tried = [*names, "moved"]
    cases = {name: case(name) for name in [*tried, *(f"{name}@example.com" for name in tried)]}
    cases["today, again"] = ("/api/reauthenticate", lambda: wrong, {"Cookie": login_cookie("today")})
    return cases


def mails():
    paths = {"forgot": "/api/password/forgot", "resend": "/api/email/verify/resend"}
    case = lambda path, name: (path, lambda: {"email": f"{name}@example.com"}, {})
    return {f"{word} {name}": case(path, name) for word, path in paths.items() for name in names}


def changes():
    """Of the address, by somebody who is logged in."""
    inside = {"Cookie": login_cookie("today")}
    case = lambda name: ("/api/email/change", lambda: {"email": f"{name}@example.com"}, inside)
    return {f"to that of {name}": case(name) for name in [*names, "nobody2", "nobody3"]}


def registrations():
    name = lambda: uuid.uuid4().hex[:20]
    form = lambda address: {"username": name(), "email": address, "password": "green-Lamp-42-river"}
    case = lambda address: ("/api/register", lambda: form(address()), {})
    return {
        "free": case(lambda: f"{name()}@example.com"),
        "free elsewhere": case(lambda: f"{name()}@example.org"),
        "asked for by others": case(lambda: "waiting@example.com"),
        "taken": case(lambda: "today@example.com"),
        "taken by another": case(lambda: "older@example.com"),
        "taken by somebody disabled": case(lambda: "disabled@example.com"),
    }


cases = {"logins": logins, "mails": mails, "changes": changes, "registrations": registrations}[what]()


def measure(slower):
    times = {}
    for case in random.sample(list(cases), len(cases)):
        path, form, headers = cases[case]
        times[case] = seconds(path, form(), headers)
        if case == slower:
            began = time.perf_counter()
            time.sleep(TOO_MUCH * times[case])
            times[case] += time.perf_counter() - began
    return times


def measured(is_clear, slower=None):
    rounds = [measure(slower) for _ in range(ROUNDS)]
    while not is_clear(spread(rounds)) and len(rounds) < MOST_ROUNDS:
        rounds += [measure(slower) for _ in range(ROUNDS)]
    return rounds


for _ in range(3):
    measure(None)
rounds = measured(lambda spread: spread <= CLEAR)
found = slowness(rounds)
for case in cases:
    median = statistics.median(times[case] for times in rounds)
    print(f"{case:24} median {median * 1000:6.2f} ms, {found[case] / min(found.values()):.3f} of the least")
print(f"{len(rounds)} rounds, {spread(rounds) - 1:.1%} between the fastest and the slowest")
if spread(rounds) > ALLOWED:
    raise SystemExit("the time tells who exists")

slower = random.choice(list(cases))
rounds = measured(lambda spread: spread > ALLOWED, slower)
found = slowness(rounds)
print(f"with {slower} made {TOO_MUCH:.0%} slower: {spread(rounds) - 1:.1%} in {len(rounds)} rounds")
if spread(rounds) <= ALLOWED or max(found, key=found.get) != slower:
    raise SystemExit("a real difference was not seen")
