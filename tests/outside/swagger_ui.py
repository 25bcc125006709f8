"""Registers, logs in, asks who it is and logs out through Swagger UI's "Try it out" in headless Chromium (WebDriver),
twice, and runs the curl commands that it shows."""

import base64
import json
import subprocess
import sys
import tempfile
import time
import urllib.request

base, shot = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--window-size=1200,1600"]


class Browser:
    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                port = line.strip().rstrip(".").split()[-1]
                self.url = f"http://127.0.0.1:{port}"
                break
        profile = tempfile.mkdtemp()
        options = {"goog:chromeOptions": {"args": [*OPTIONS, f"--user-data-dir={profile}"]},
                   "goog:loggingPrefs": {"browser": "ALL"}}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        self.url += f"/session/{session['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def find(self, css):
        for _ in range(200):
            found = self.call("POST", "/elements", {"using": "css selector", "value": css})
            if found:
                return f"/element/{found[0][ELEMENT]}"
            time.sleep(0.05)
        self.screenshot("/tmp/swagger-failed.png")
        raise SystemExit(f"not on the page: {css}")

    def click(self, css):
        element = self.find(css)
        script = "arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()"
        self.call("POST", "/execute/sync", {"script": script, "args": [{ELEMENT: element.split("/")[-1]}]})

    def text(self, css):
        return self.call("GET", self.find(css) + "/text")

    def run(self, script):
        return self.call("POST", "/execute/sync", {"script": f"return {script}", "args": []})

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))


def fail(why):
    browser.screenshot("/tmp/swagger-failed.png")
    raise SystemExit(why)


def execute(operation, expected):
    """Returns the answer and the curl command."""
    block = f"#operations-account-{operation}"
    browser.click(f"{block} .opblock-summary-control")
    # Swagger UI resolves the operation's schemas after it opened; a click before that is lost. Nothing on the
    # page tells when it is done, and a person takes longer.
    time.sleep(1.5)
    browser.click(f"{block} .execute")
    status = browser.text(f"{block} .live-responses-table tbody .response-col_status").split()[0]
    curl = browser.text(f"{block} .request-snippets pre")
    answer = browser.text(f"{block} .live-responses-table tbody .response-col_description")
    if status != expected:
        fail(f"{operation}: {status}, not {expected}: {answer}")
    if expected != "204":
        answer = browser.text(f"{block} .live-responses-table tbody .highlight-code code")
    if operation != "me":
        browser.click(f"{block} .opblock-summary-control")
    return answer, curl


def visit():
    browser.call("POST", "/url", {"url": base + "/swagger-ui/"})
    browser.find("#operations-account-register")


browser = Browser()
try:
    visit()
    if browser.call("GET", "/title") != "Latchkey API":
        fail("another title")
    if browser.run("document.querySelector('.opblock').id") != "operations-account-register":
        fail("register does not come first")
    if browser.run("document.querySelectorAll('[class*=authoriz]').length"):
        fail("there is something to authorize, and no page can do that")
    execute("register", "201")
    _, login = execute("login", "200")
    me, who = execute("me", "200")
    name = json.loads(me)["username"]
    if not name.startswith("susan-"):
        fail(f"me: {me}")
    with tempfile.TemporaryDirectory() as folder:
        shell = lambda command: subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True).stdout
        shell(login)
        if f'"username":"{name}"' not in shell(who):
            fail(f"the curl commands do not keep the cookie: {login}\n{who}")
    if shot:
        browser.screenshot(shot)
    execute("logout", "204")
    visit()
    again, _ = execute("register", "201")
    if json.loads(again)["username"] == name:
        fail("the same name twice")
    execute("login", "200")
    errors = [entry for entry in browser.call("POST", "/se/log", {"type": "browser"})
              if entry["level"] == "SEVERE" and "favicon" not in entry["message"]]
    if errors:
        raise SystemExit(f"the page complained: {errors}")
    print("Swagger UI: registered, logged in, recognised, logged out, and all that again")
finally:
    try:
        browser.call("DELETE", "")
    finally:
        browser.driver.terminate()
