"""What the path of an image means (30 §8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkend.errors import ApiError
from bkend.images.formats import FORMATS, TYPES, takes_webp
from bkend.images.instructions import LARGEST_BLUR, Instructions, parse_image_path

KEY = "p1/dev/images/2026/01/5e1b.jpg"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", Instructions()),
        ("300x200/", Instructions(300, 200)),
        ("0300x0200/", Instructions(300, 200)),
        ("4096x4096/", Instructions(4096, 4096)),
        ("300x0/", Instructions(300)),
        ("0x200/", Instructions(0, 200)),
        ("0x0/", Instructions()),
        ("fit-in/0x0/", Instructions()),
        ("fit-in/300x200/", Instructions(300, 200, fit_in=True)),
        ("fit-in/300x0/", Instructions(300, fit_in=True)),
        ("300x200/smart/", Instructions(300, 200, smart=True)),
        ("fit-in/300x200/smart/", Instructions(300, 200, fit_in=True)),
        ("300x0/smart/", Instructions(300)),
        ("smart/", Instructions()),
        ("filters:quality(70)/", Instructions(quality=70)),
        ("filters:quality(0)/", Instructions(quality=1)),
        ("filters:quality(-5)/", Instructions(quality=1)),
        ("filters:quality(101)/", Instructions(quality=100)),
        (f"filters:quality({'9' * 5000})/", Instructions(quality=100)),
        ("filters:format(jpg)/", Instructions(format="jpeg")),
        ("filters:format(webp):format(png)/", Instructions(format="png")),
        ("filters:quality(1):rotate(90):quality(2)/", Instructions(quality=2)),
        ("filters:blur(5)/", Instructions(blur=(5, 5))),
        ("filters:blur(5,2.5)/", Instructions(blur=(5, 2.5))),
        ("filters:blur(151)/", Instructions(blur=(150, 150))),
        (f"filters:blur({'9' * 5000},1)/", Instructions(blur=(150, 1))),
        ("filters:blur(0)/", Instructions()),
        ("filters:blur(-3,2)/", Instructions()),
        ("filters:fill(rgb(1,2,3)):upscale()/", Instructions()),
        ("filters:watermark(http://x/y.png,1,2):quality(9)/", Instructions(quality=9)),
        (
            "filters%3Aquality%2870%29%3Aformat%28webp%29/",
            Instructions(0, 0, quality=70, format="webp"),
        ),
        ("filters:blur%285%2c2%29/", Instructions(blur=(5, 2))),
        (
            "300x200/smart/filters:format(webp):quality(50):blur(1)/",
            Instructions(300, 200, smart=True, quality=50, format="webp", blur=(1, 1)),
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_a_path_asks_for(path: str, asked: Instructions) -> None:
    assert parse_image_path(path + KEY) == (asked, KEY)
    assert parse_image_path(asked.path() + KEY) == (asked, KEY)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "300x200",
        "300x200/",
        "smart",
        "smart/",
        "fit-in",
        "fit-in/",
        "fit-in/300x200",
        f"fit-in/{KEY}",
        f"fit-in/smart/{KEY}",
        f"4097x1/{KEY}",
        f"1x4097/{KEY}",
        f"{'9' * 5000}x1/{KEY}",
        f"300x/{KEY}",
        f"x200/{KEY}",
        f"-300x200/{KEY}",
        f"300X200/{KEY}",
        f"300.5x200/{KEY}",
        f"fit-in/300/{KEY}",
        "filters:quality(80)",
        "filters:quality(80)/",
        f"filters:/{KEY}",
        f"filters:quality/{KEY}",
        f"filters:quality(80/{KEY}",
        f"filters:quality(80):/{KEY}",
        f"filters:quality(80)format(webp)/{KEY}",
        f"filters:(80)/{KEY}",
        f"filters:quality()/{KEY}",
        f"filters:quality(8.5)/{KEY}",
        f"filters:quality(high)/{KEY}",
        f"filters:quality(٨)/{KEY}",
        f"filters:quality(x):quality(80)/{KEY}",
        f"filters:blur()/{KEY}",
        f"filters:blur(1,2,3)/{KEY}",
        f"filters:blur(nan)/{KEY}",
    ],
    ids=lambda path: path[:40].replace(KEY, "KEY"),
)
def test_what_breaks_the_grammar(path: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_image_path(path)
    assert (refused.value.status, refused.value.code) == (400, "file/invalid-path")


@pytest.mark.parametrize("word", ["bmp", "svg", "WEBP", "", "webp,jpeg"])
def test_a_format_that_is_not_known(word: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_image_path(f"filters:format({word})/{KEY}")
    assert (refused.value.status, refused.value.code) == (400, "file/invalid-format")


@pytest.mark.parametrize(
    "key",
    ["photo.jpg", "x/y", "smarter/x", "fit-in2/x", "filter:a/b", "a b/(1).png", "xx/1", "..", "/x"],
)
def test_what_is_no_instruction_is_the_key(key: str) -> None:
    assert parse_image_path(key) == (Instructions(), key)
    assert parse_image_path(f"0x9/smart/filters:a()/{key}") == (Instructions(0, 9), key)


HUNDREDTHS = st.integers(1, int(LARGEST_BLUR * 100)).map(lambda number: number / 100)


@st.composite
def instructions(draw: st.DrawFn) -> Instructions:
    width, height = draw(st.integers(0, 4096)), draw(st.integers(0, 4096))
    is_fitted = draw(st.booleans()) and bool(width or height)
    return Instructions(
        width,
        height,
        fit_in=is_fitted,
        smart=draw(st.booleans()) and bool(width and height) and not is_fitted,
        quality=draw(st.integers(1, 100)),
        format=draw(st.sampled_from([None, *TYPES])),
        blur=draw(st.none() | st.tuples(HUNDREDTHS, HUNDREDTHS)),
    )


@given(instructions())
def test_normal_paths_are_read_as_they_were_meant(asked: Instructions) -> None:
    assert parse_image_path(asked.path() + KEY) == (asked, KEY)


PIECES = st.sampled_from(
    [
        *("fit-in", "/", "smart", "filters:", ":", "quality", "(", ")", "%28", "%3A", "format"),
        *("blur", "webp", "0x0", "300x200", "x", "-1", "9" * 400, "1.5", ",", "..", "é", "\0", KEY),
    ]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=14).map("".join))
def test_any_path_is_read_or_refused_as_malformed(path: str) -> None:
    refusal = None
    try:
        asked, key = parse_image_path(path)
    except ApiError as error:
        refusal = error
    if refusal is not None:
        assert refusal.status == 400
        assert refusal.code in ("file/invalid-path", "file/invalid-format")
        return
    assert key
    assert path.endswith(key)
    assert parse_image_path(asked.path() + KEY) == (asked, KEY)


@pytest.mark.parametrize(
    ("header", "is_taken"),
    [
        ("image/avif,image/webp,*/*;q=0.8", True),
        ("IMAGE/WEBP ; q=0.5", True),
        ("image/webp;q=0", False),
        ("image/webp;q=0.00, image/png", False),
        ("image/*, */*", False),
        ("image/webpx", False),
        ("", False),
    ],
)
def test_who_takes_webp(header: str, is_taken: bool) -> None:
    assert takes_webp([header]) is is_taken
    assert takes_webp(["text/html", header]) is is_taken


def test_every_word_for_a_format_is_one_that_is_written() -> None:
    assert set(FORMATS.values()) == set(TYPES)
