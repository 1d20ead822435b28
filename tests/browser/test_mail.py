"""Mails on wide and narrow screens, light and dark: all is inside, and all can be read."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Browser

from bkend.mail.rendering import Look, complete, render
from bkend.mail.service import samples
from bkend.mail.wording import BUILT_IN, CATEGORIES, LOCALES

pytestmark = pytest.mark.browser

LONG = "https://app.example.com/reset?token=" + "a1B2" * 16 + "&email=ada%40example.com"
_CONTRAST = """
(element) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  let ground = element;
  const colour = (e) => parse(getComputedStyle(e).backgroundColor);
  while (ground.parentElement && colour(ground)[3] === 0) ground = ground.parentElement;
  const pair = [light(parse(getComputedStyle(element).color)), light(colour(ground))];
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}
"""


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [600, 320])
def test_every_mail_fits_and_can_be_read(
    browser: Browser, width: int, colours: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 700}, color_scheme=colours)
    for category in CATEGORIES:
        for locale in LOCALES:
            links = dict.fromkeys(("verifyLink", "resetLink", "magicLink", "inviteLink"), LONG)
            look = Look("Plant Diary", brand_color="#FFCC00" if locale == "ko" else None)
            values = complete(category, {**samples(locale), **links}, look, locale, 15)
            built_in = BUILT_IN[category, locale]
            page.set_content(render(built_in.subject, built_in.body, values, locale).html)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            button = page.locator("td[bgcolor] > a")
            assert button.get_attribute("href") == LONG
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
            words = page.locator("h1, p, a, td.name, td.quiet")
            assert min(words.evaluate_all(f"(all) => all.map({_CONTRAST})")) >= 4.5
    page.close()
