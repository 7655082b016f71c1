"""What a reader does with the map of a page: points, clicks, taps, drags and presses keys, all as real events."""

import numpy as np

from halonmf.halo.pages.explorer import ID

HOSTILE = "<script>window.ran = 1<.script><img src=x onerror=window.ran=2>"
"""A name that must not run."""


def middle(browser, i):
    """Scroll a bin into view and return its middle on the screen."""
    script = f"""(() => {{ const bin = document.querySelectorAll('.bin')[{i}];
        bin.scrollIntoView({{block: 'center'}}); const r = bin.getBoundingClientRect();
        return [r.x + r.width / 2, r.y + r.height / 2]; }})()"""
    return browser.value(script)


def mouse(browser, kind, x, y, **more):
    browser.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1, **more)


def click(browser, i, **more):
    x, y = middle(browser, i)
    mouse(browser, "mousePressed", x, y, buttons=1, **more)
    mouse(browser, "mouseReleased", x, y, **more)


def press(browser, key, modifiers=0):
    for kind in ("keyDown", "keyUp"):
        browser.ask("Input.dispatchKeyEvent", type=kind, key=key, modifiers=modifiers)


def chosen(browser):
    return browser.value(
        "[...document.querySelectorAll('.bin')].flatMap((b, i) => b.ariaSelected === 'true' ? [i] : [])"
    )


def shown(browser):
    """The stars, then each component's part, as drawn; shape (1 + k, n)."""
    return np.array(browser.value(f"document.getElementById('{ID}').shown.map(x => [...x])"))


def touch(browser, *kinds_and_points):
    """Send touches: each a kind, such as touchStart, and the places of the fingers then on the screen."""
    for kind, points in kinds_and_points:
        browser.ask(
            "Input.dispatchTouchEvent",
            type=kind,
            touchPoints=[{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)],
        )


def tap(browser, x, y):
    touch(browser, ("touchStart", [(x, y)]), ("touchEnd", []))


def centre(browser, selector):
    """Scroll an element into view and return its middle on the screen."""
    return browser.value(f"""(() => {{ const e = document.querySelector({selector!r});
        e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();
        return [r.x + r.width / 2, r.y + r.height / 2]; }})()""")


def view(browser):
    """The part of the map that is shown: left, top, width, height."""
    return [float(x) for x in browser.value("document.querySelector('.plot').getAttribute('viewBox')").split(" ")]
