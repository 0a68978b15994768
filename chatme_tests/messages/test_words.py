"""Words: how a text is cut and folded, by what it is found, and where in it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatme.messages.wire import MAX_CONTENT, MAX_SEARCH
from chatme.messages.words import (
    LENGTHS,
    MAX_KEYS,
    Word,
    fold,
    highlights,
    keys,
    lookups,
    matches,
    places,
    words,
)

# Letters with and without accents and case, of scripts with and without spaces, and the unseen.
LETTERS = (
    "aAbéÉßñøŁİıдЙёσςא\u05b0ب\u064eहिक्o\u0301가각ᄀ\u1161か\u3099がｱ東京ไ่\u200f\u00ad1½_ -'\n😀"  # noqa: RUF001 -- what looks alike must not be
)
texts = st.text(LETTERS, max_size=40) | st.text(max_size=40)


def _cut(text: str) -> list[str]:
    return [word.text for word in words(text)]


def _shown(text: str, query: str, limit: int = 50) -> list[str]:
    return [text[start:end] for start, end in highlights(text, words(query), limit)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World! hello", ["hello", "world"]),
        ("don't snake_case a-b", ["don", "t", "snake", "case", "a", "b"]),
        ("Crème BRÛLÉE e\u0301te\u0301", ["creme", "brulee", "ete"]),
        ("Đà Nẵng Łódź søster", ["da", "nang", "lodz", "soster"]),
        ("İstanbul ISTANBUL ışık", ["istanbul", "isik"]),  # noqa: RUF001
        ("straße STRASSE", ["strasse"]),
        ("ΣΊΣΥΦΟΣ Σίσυφος", ["σισυφοσ"]),
        ("Ёлка ЙОД", ["елка", "иод"]),
        ("שָׁלוֹם عَرَبِيّ", ["שלום", "عربي"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 검색", ["한국어", "검색"]),
        ("ｆｕｌｌ 𝐁old ﬁsh", ["full", "bold", "fish"]),  # noqa: RUF001
        ("東京都に行く", ["東京都に行く"]),
        ("iPhoneを買う2026年", ["iphone", "を買う", "2026", "年"]),
        ("ﾊﾟﾝ ﾄ", ["パン", "ト"]),
        ("hel\u00adlo a\u200fb zero\u200bwidth", ["hello", "ab", "zero", "width"]),
        ("1️⃣ 👍🏽", ["1"]),
        ("\u0301\u0301 \u200f ... 😀 _", []),
        ("", []),
    ],
)
def test_a_text_is_cut_into_folded_words(text: str, expected: list[str]) -> None:
    """Words come without case, accents and width, each once; marks alone are none."""
    assert _cut(text) == expected


def test_letters_that_differ_stay_apart() -> None:
    """Vowel signs and voicing marks make other letters, however they are written."""
    assert fold("कि") != fold("क")
    assert fold("が") == fold("か\u3099") != fold("か")
    assert fold("각") == fold(unicodedata.normalize("NFD", "각")) != fold("가")


def test_only_scripts_without_spaces_are_dense() -> None:
    """Han, kana and Thai run on; Hangul and all alphabets have words."""
    found = [each.word.dense for each in places("東京 カタカナ สวัสดี 한국어 word слово")]

    assert found == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unbelievable", ["", "un", "unbe", "unbeliev"]),
        ("a to too", ["", "to"]),
        ("東京都", ["", "東", "京", "都", "東京", "京都"]),
        ("😀", []),
    ],
)
def test_keys_are_beginnings_and_pairs(text: str, expected: list[str]) -> None:
    """A word is found by its first 2, 4 and 8 letters, a run by its letters and pairs, and any
    word by the common key."""
    assert keys(text) == expected


@pytest.mark.parametrize(
    ("query", "text", "fits"),
    [
        ("hel", "Hello", True),
        ("hello", "hel", False),
        ("ello", "Hello", False),
        ("creme BRUL", "la crème brûlée", True),
        ("brûlée crème nope", "la crème brûlée", False),
        ("resume", "RÉSUMÉ", True),
        ("京都", "東京都に", True),
        ("京に", "東京都に", False),
        ("都", "東京都に", True),
        ("か", "が", False),
        ("strasse", "Straße", True),
        ("stras", "Straße", True),
        ("東 a", "東京 abc", True),
        ("unbelievabl", "unbelievable", True),
        ("unbelievers", "unbelievable", False),
    ],
)
def test_every_wanted_word_must_match(query: str, text: str, fits: bool) -> None:
    """Each wanted word is the beginning of a word, or a part of a run without spaces."""
    assert matches(text, words(query)) is fits


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("hel", "Hello help, shell", ["Hel", "hel"]),
        ("creme", "Crème cre\u0301me\u0301e", ["Crème", "cre\u0301me\u0301"]),
        ("stras", "Straße", ["Straß"]),
        ("s", "ß", ["ß"]),
        ("a ab abc", "abcd", ["abc"]),
        ("京", "東京都京", ["京", "京"]),
        ("東京 京都", "東京都", ["東京都"]),
        ("か", "がか\u3099か", ["か"]),
        ("שלו", "שָׁלוֹם", ["שָׁלוֹ"]),
        ("각", "ᄀ\u1161\u11a8나", ["ᄀ\u1161\u11a8"]),
        ("hi", "😀 hi", ["hi"]),
    ],
)
def test_highlights_show_what_matched(query: str, text: str, expected: list[str]) -> None:
    """What is shown is the matched part as it was written, marks included, never twice."""
    assert _shown(text, query) == expected


def test_highlights_are_bounded() -> None:
    """No more are shown than asked for."""
    assert _shown("a b a b a b", "a", 2) == ["a", "a"]


@given(texts)
@example("가\u11a8")
@example("ﷺ½")
def test_folding_is_done_once(text: str) -> None:
    """What is folded stays as it is, and is found by itself."""
    for word in words(text):
        assert fold(word.text) == word.text
    assert matches(text, words(text))


@given(texts, texts)
def test_what_matches_has_all_keys(text: str, query: str) -> None:
    """Whatever a text matches, each of the keys that the words are looked up by is one of its."""
    wanted = words(query)
    if matches(text, wanted):
        assert {key for word in wanted for key in lookups(word)} <= set(keys(text))


@given(texts, st.integers(1, 12))
def test_every_beginning_is_found_and_shown(text: str, size: int) -> None:
    """A text is found by any beginning of any of its words, and there is something to show."""
    for word in words(text):
        part = Word(word.text[:size], word.dense)

        assert matches(text, [part])
        assert set(lookups(part)) <= set(keys(text))
        assert highlights(text, [part], 50)


@given(texts, texts)
def test_highlights_are_parts_of_words_in_order(text: str, query: str) -> None:
    """What is shown begins and ends in words, in order and apart."""
    found = highlights(text, words(query), 50)
    flat = [bound for part in found for bound in part]
    spans = [(place.start, place.end) for place in places(text)]

    assert flat == sorted(set(flat))
    for start, end in found:
        assert any(first <= start < last for first, last in spans)
        assert any(first < end <= last for first, last in spans)


@given(st.text(max_size=200))
def test_keys_are_few(text: str) -> None:
    """There are at most three keys for each word and two for each letter of a run, and one more."""
    found = keys(text)

    assert len(found) == len(set(found)) <= MAX_KEYS
    assert "" not in found[1:]
    bound = 1 + sum(2 * len(word.text) if word.dense else len(LENGTHS) for word in words(text))
    assert len(found) <= bound


@pytest.mark.parametrize(
    "text",
    [
        "a\u0301" * (MAX_CONTENT // 2),
        "é " * (MAX_CONTENT // 2),
        "東" * MAX_CONTENT,
        "".join(chr(0x4E00 + at) for at in range(MAX_CONTENT)),
        "ﷺ" * MAX_CONTENT,
        "\u0301" * MAX_CONTENT,
        "\u200f" * MAX_CONTENT,
        "ᄀ" * MAX_CONTENT,
        "a" * MAX_CONTENT,
        "๎" * MAX_CONTENT,
    ],
)
def test_the_worst_texts_are_bounded(text: str) -> None:
    """Any text of full length is found by its beginning, by a bounded number of keys."""
    beginning = words(text[:MAX_SEARCH])

    assert len(keys(text)) <= MAX_KEYS
    assert matches(text, beginning)
    assert len(highlights(text, beginning, 50)) == min(1, len(beginning)) or " " in text
