"""Does the time of an answer tell who exists? Medians of logins that fail, in turn, as ratios to each other.

The users: one with today's hash parameters, one with the older parameters they registered with, one who is disabled,
and one who does not exist; each by name and by e-mail address.
"""

import http.client
import json
import statistics
import sys
import time

TRIES = 60
ALLOWED = 1.10

host = sys.argv[1].removeprefix("http://")
connection = http.client.HTTPConnection(host)


def seconds(path, form, headers):
    body = json.dumps(form)
    began = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - began
    if answer.status != 401:
        raise SystemExit(f"{path} {form} answered {answer.status}")
    return took


def login_cookie(name):
    body = json.dumps({"username": name, "password": "green-Lamp-42-river"})
    connection.request("POST", "/api/login", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{name} cannot log in: {answer.status}")
    return answer.headers["Set-Cookie"].split(";")[0] if "session" in answer.headers["Set-Cookie"] else [
        value.split(";")[0] for name, value in answer.headers.items()
        if name.lower() == "set-cookie" and "session" in value][0]


names = ["today", "older", "disabled", "nobody"]
cases = {name: ("/api/login", {"username": name}, {}) for name in names}
cases |= {f"{name}@example.com": ("/api/login", {"username": f"{name}@example.com"}, {}) for name in names}
cases["today, again"] = ("/api/reauthenticate", {}, {"Cookie": login_cookie("today")})
took = {case: [] for case in cases}
for attempt in range(TRIES + 3):
    for case, (path, form, headers) in cases.items():
        time_taken = seconds(path, {**form, "password": "wrong-Password-9"}, headers)
        if attempt >= 3:
            took[case].append(time_taken)
medians = {case: statistics.median(times) for case, times in took.items()}
least = min(medians.values())
for case, median in medians.items():
    print(f"{case:24} median {median * 1000:6.2f} ms, {median / least:.3f} of the least")
if max(medians.values()) > ALLOWED * least:
    raise SystemExit("the time tells who exists")
