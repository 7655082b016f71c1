"""What a reader does with the map of a page: points, clicks, taps, drags and presses keys, all as real events."""

import numpy as np

from halonmf.halo.pages.explorer import ID

HOSTILE = "<script>window.ran = 1<.script><img src=x onerror=window.ran=2>"
"""A name that must not run."""
CONTRAST = """(() => {
  const parse = (text) => { const v = text.match(/[\\d.]+/g).map(Number); return v.length < 4 ? [...v, 1] : v; };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92
    : ((c + 0.055) / 1.055) ** 2.4).reduce((s, c, i) => s + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
  const found = {};
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest('script, noscript')) continue;
    const style = getComputedStyle(e), ink = e instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(parse(ink)), light(ground(e))], size = parseFloat(style.fontSize);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const least = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < least) found[e.tagName + '.' + (e.className.baseVal ?? e.className) + ' ' + ink] = ratio;
  }
  return found; })()"""
"""Texts whose contrast is less than WCAG 2.2 (1.4.3) asks for, by element."""


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
    browser.value(
        "new Promise((done) => setTimeout(done, 400))"
    )  # sooner it would end the gesture before, or double a tap
    touch(browser, ("touchStart", [(x, y)]), ("touchEnd", []))


def until(browser, expression):
    """Wait until an expression holds, five seconds at most: a tap becomes a click after the finger has left."""
    browser.value(f"""new Promise((done, failed) => {{ const end = Date.now() + 5000, look = () => {expression} ? done()
        : Date.now() > end ? failed(Error('never')) : setTimeout(look, 20); look(); }})""")
    assert browser.value(expression)


def centre(browser, selector):
    """Scroll an element into view and return its middle on the screen."""
    return browser.value(f"""(() => {{ const e = document.querySelector({selector!r});
        e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();
        return [r.x + r.width / 2, r.y + r.height / 2]; }})()""")


def view(browser):
    """The part of the map that is shown: left, top, width, height."""
    return [float(x) for x in browser.value("document.querySelector('.plot').getAttribute('viewBox')").split(" ")]
