"""The built book, served from this machine, in a real browser.

`make pages` builds the book and runs these tests. Without Playwright, a Chromium and a built book
they cannot run: then they are skipped and a last line says so; in CI (`CI` is set) they fail.
"""

import os
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from built import BOOK, FLAGS, find_browser, what_is_missing


@pytest.fixture(scope="session", autouse=True)
def can_run():
    """Nothing here is tried where it cannot run; in CI that is an error."""
    if why := what_is_missing():
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)


def pytest_collection_modifyitems(items):
    """Two of the four looks show both widths and both themes; the other two are for once a week."""
    for item in items:
        if re.search(r"_fits_.*(wide dark|narrow light)", item.name):
            item.add_marker("weekly")


def pytest_unconfigure(config):
    """The very last line, where these tests were asked for."""
    asked = config.option.markexpr != "not slow" and not hasattr(config, "workerinput")
    if asked and (why := what_is_missing()):
        print(f"\nTHE PAGES WERE NOT TESTED IN A BROWSER: {why}")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def site():
    """The address at which the book is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(BOOK)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def tab(browser):
    """One tab for all pages: what they share is loaded once."""
    tab = browser.new_page()
    tab.requests, tab.complaints = [], []
    tab.on("request", lambda request: tab.requests.append(request.url))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("console", lambda message: note(tab, message))
    tab.on("response", lambda r: r.status >= 400 and tab.complaints.append(f"{r.status} {r.url}"))
    return tab


def note(tab, message):
    if message.type in ("error", "warning"):
        tab.complaints.append(message.text)
