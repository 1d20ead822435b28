"""Whether a page fits, can be read, and can be used by all.

`SCREENSHOTS=DIRECTORY` keeps a picture of each view."""

from __future__ import annotations

import os

from playwright.sync_api import Page

_CONTRASTS = """
() => {
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(") ? numbers.map((c, i) => i < 3 ? c * 255 : c) : numbers;
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    const colour = parse(getComputedStyle(element).backgroundColor);
    return colour[3] === 0 && element.parentElement ? ground(element.parentElement) : colour;
  };
  const words = [...document.querySelectorAll("h1, h2, p, label, button, small, b, li, summary")];
  const shown = words.filter((e) => e.checkVisibility() && e.innerText.trim());
  return shown.map((element) => {
    const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    return [Math.round(ratio * 100) / 100, element.innerText.slice(0, 40)];
  });
}
"""
_NAMELESS = """
() => [...document.querySelectorAll("input, textarea, select, button, progress, img")]
  .filter((e) => e.checkVisibility() && !e.closest("[aria-hidden]"))
  .filter((e) => !(e.labels?.length || e.ariaLabel || e.innerText || e.hasAttribute("alt")))
  .map((e) => e.outerHTML)
"""
_SMALL = """
() => [...document.querySelectorAll("button:not(.link), .button, select, input:not([type=file])")]
  .filter((e) => e.checkVisibility()).map((e) => [e.getBoundingClientRect(), e.outerHTML])
  .filter(([box]) => box.height < 36 && box.height > 1).map(([, html]) => html)
"""


def looks_right(page: Page, width: int, name: str) -> None:
    """Nothing leaves the screen, all words can be read, all controls have names."""
    if folder := os.environ.get("SCREENSHOTS"):
        scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        page.screenshot(
            path=f"{folder}/{name}-{width}-{'dark' if scheme else 'light'}.png", full_page=True
        )
    assert page.evaluate("document.documentElement.scrollWidth") == width, name
    faint = [found for found in page.evaluate(_CONTRASTS) if found[0] < 4.5]
    assert not faint, name
    assert page.evaluate(_NAMELESS) == [], name
    assert page.evaluate(_SMALL) == [], name
