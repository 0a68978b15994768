"""Words as a search sees them: cut out of a text, folded, and found again in it. Pure.

A text is cut into runs. Most scripts part their words, and a run of their letters, digits and marks
is one word, found by its beginning. Some do not (Han, kana, Thai and the like), and a run of
theirs is found by any part of it. Folding takes off case, accents and width; what distinguishes
letters rather than adorns them (the vowel signs of India, the voicing of kana) stays.

`keys` are what a text is found by in an index: of a word its first 2, 4 and 8 characters, of a run
without spaces its characters and pairs of neighbours, and one key that all texts with words have.
So there are two or three for each word, which is what a search costs whoever sends. A beginning is
looked up by the longest key that it has, one letter by the common one, and then compared with the
text itself: most letters begin a word in a text out of a few.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LENGTHS = (2, 4, 8)
COMMON = ""
MAX_KEYS = 4000
"""Keys of one text. Real ones stay far below; noise could have twice as many as characters."""

# Scripts written without spaces, by block.
_DENSE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf"  # Thai to Tai Tham
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u3096\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua980-\ua9df\ua9e0-\ua9ff\uaa60-\uaadf\uf900-\ufaff\uff66-\uff9f"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_LAST_MARK = 0x1F000
# What stands within a word without being seen: joiners, directions, a soft hyphen. A space of no
# width is a space.
_UNSEEN = "\u00ad\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_STROKES = str.maketrans(
    {"đ": "d", "ħ": "h", "\u0131": "i", "ł": "l", "ø": "o", "ŧ": "t", "ƀ": "b", "ɨ": "i", "ʉ": "u"}
)
_ASCII_WORD = re.compile(r"[a-z0-9]+")


def _ranges(numbers: Iterator[int]) -> str:
    """Code points as the inside of a character class."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return "".join(f"{re.escape(chr(low))}-{re.escape(chr(high))}" for low, high in found)


_MARK = (
    _ranges(n for n in range(0x300, _LAST_MARK) if unicodedata.category(chr(n))[0] == "M")
    + _UNSEEN
    + _SELECTORS
)
_OPEN = rf"(?![{_DENSE}])[^\W_]"
_RUN = re.compile(rf"(?P<dense>[{_DENSE}][{_DENSE}{_MARK}]*)|{_OPEN}(?:{_OPEN}|[{_MARK}])*")
# Parts of Korean syllables, written one by one, are one letter.
_LETTER = re.compile(
    rf"[\u1100-\u115f]+[\u1160-\u11a7]*[\u11a8-\u11ff]*[{_MARK}]*|.[{_MARK}]*", re.DOTALL
)


def _is_accent(character: str) -> bool:
    # By combining classes: points of Hebrew and Arabic, tones, and all that is above or below.
    # Nuktas, voicing marks, viramas and vowels (6 to 9, 84 to 132 but for two) make other letters.
    found = unicodedata.combining(character)
    return found >= 200 or 10 <= found <= 36 or found in (1, 107, 122)


_ACCENTS = _ranges(n for n in range(0x300, _LAST_MARK) if _is_accent(chr(n)))
_DROPPED = re.compile(rf"[{_ACCENTS}\u034f\u0640\u20dd-\u20e4{_UNSEEN}{_SELECTORS}]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word, or a run of a script without spaces (``dense``)."""

    text: str
    dense: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a word stands in a text, in code points."""

    start: int
    end: int
    word: Word


def fold(run: str) -> str:
    """A run without case, accents and width."""
    if run.isascii():
        return run.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", run).casefold())
    return unicodedata.normalize("NFC", _DROPPED.sub("", plain).translate(_STROKES))


def places(text: str) -> Iterator[Place]:
    """All words of a text, in order."""
    if text.isascii():
        for found in _ASCII_WORD.finditer(text.lower()):
            yield Place(found.start(), found.end(), Word(found.group()))
        return
    for found in _RUN.finditer(text):
        folded = fold(found.group())
        if folded:
            dense = found.lastgroup is not None
            yield Place(found.start(), found.end(), Word(folded, dense))


def words(text: str) -> list[Word]:
    """The words of a text, each once, in order."""
    return list(dict.fromkeys(each.word for each in places(text)))


def keys(text: str) -> list[str]:
    """What an index holds of a text, each once; see above."""
    found: dict[str, None] = {}
    for word in words(text):
        found[COMMON] = None
        found.update(dict.fromkeys(_keys_of(word)))
        if len(found) > MAX_KEYS:
            break
    return list(found)[:MAX_KEYS]


def _keys_of(word: Word) -> list[str]:
    text = word.text
    if word.dense:
        return [*text, *(text[at : at + 2] for at in range(len(text) - 1))]
    return [text[:length] for length in LENGTHS if length <= len(text)]


def lookups(word: Word) -> list[str]:
    """The keys that every text with the wanted word has."""
    text = word.text
    if not word.dense:
        return [max(_keys_of(word), key=len, default=COMMON)]
    if len(text) == 1:
        return [text]
    return list(dict.fromkeys(text[at : at + 2] for at in range(len(text) - 1)))


def matches(text: str, wanted: Sequence[Word]) -> bool:
    """Whether every wanted word is in a text: the beginning of a word, or a part of a run."""
    missing = set(wanted)
    for place in places(text):
        missing -= {each for each in missing if _part(place.word, each) >= 0}
        if not missing:
            return True
    return not missing


def highlights(text: str, wanted: Sequence[Word], limit: int) -> list[tuple[int, int]]:
    """Where the wanted words are in a text: the first so many (start, end), in code points, apart
    from each other and in order."""
    found: list[tuple[int, int]] = []
    for place in places(text):
        for start, end in sorted(_within(text, place, wanted)):
            if found and start <= found[-1][1]:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            elif len(found) == limit:
                return found
            else:
                found.append((start, end))
    return found


def _part(word: Word, wanted: Word) -> int:
    """Where in a word the wanted one is, or -1."""
    if word.dense != wanted.dense:
        return -1
    if word.dense:
        return word.text.find(wanted.text)
    return 0 if word.text.startswith(wanted.text) else -1


def _within(text: str, place: Place, wanted: Sequence[Word]) -> Iterator[tuple[int, int]]:
    spread: list[int] | None = None
    for each in wanted:
        at = _part(place.word, each)
        while at >= 0:
            spread = spread or _spread(text[place.start : place.end], place.word.text)
            end = at + len(each.text)
            first, last = bisect_right(spread, at) - 1, bisect_right(spread, end) - 1
            if spread[last] < end:  # within what one letter unfolds to
                last = bisect_left(spread, end)
            yield place.start + first, place.start + last
            at = place.word.text.find(each.text, end) if each.dense else -1


def _spread(run: str, folded: str) -> list[int]:
    """For each place between a run's characters, how much of it folded comes before.

    A letter is one with its marks: within them, the place is at its end.
    """
    if run.isascii():
        return list(range(len(run) + 1))
    found, lengths = [0], dict[str, int]()
    for letter in _LETTER.findall(run):
        if letter not in lengths:
            lengths[letter] = len(fold(letter))
        found += [found[-1] + lengths[letter]] * len(letter)
    # Letters that fold together otherwise than apart are not told apart.
    return found if found[-1] == len(folded) else [0] + [len(folded)] * len(run)
