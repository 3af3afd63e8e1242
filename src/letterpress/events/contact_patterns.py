"""What an e-mail address and a telephone number look like, as the patterns that both forms of masking share.

`CANDIDATE` says whether a text is worth a closer look. It is written for RE2 and for Python alike: explicit
classes, no look-around. The patterns after it are Python's and say where exactly an address or number lies.
"""

from __future__ import annotations

import re

_DIGIT = "[0-9\uff10-\uff19\u0660-\u0669]"
_PERCENT = "%(?:25)*"
_GAP = f"(?:[ \u00a0\u202f.\u2010-\u2014/()-]|{_PERCENT}2[089DdEeFf])"
"""What may stand between the digits of a number, as such or percent-encoded."""
_PLUS = f"(?:[+\uff0b]|{_PERCENT}2[Bb])"
_AT = f"(?:[@\uff20\ufe6b]|{_PERCENT}40)"
_INTERNATIONAL = f"{_PLUS}(?:{_GAP}{{0,4}}{_DIGIT}){{7}}"
_TRUNK = rf"\(?0{_DIGIT}{{1,5}}\)?{_GAP}{{1,4}}{_DIGIT}(?:{_GAP}{{0,3}}{_DIGIT}){{3}}"
_NANP = (
    rf"(?:1{_GAP}{{1,2}})?(?:\([2-9]{_DIGIT}{{2}}\){_GAP}{{0,2}}|[2-9]{_DIGIT}{{2}}{_GAP}{{1,2}})"
    rf"{_DIGIT}{{3}}{_GAP}{{1,2}}{_DIGIT}{{4}}"
)
_BEGINNING = "(?:^|^[./ -]|[^0-9][./ -]|[^0-9A-Za-z./ -])"
"""Where a national number may begin: not inside a word, and not behind a digit and a separator (a date)."""

CANDIDATE = f"{_AT}|{_INTERNATIONAL}|{_BEGINNING}(?:{_TRUNK}|{_NANP})"
"""RE2 and Python: a text without a match holds no address and no number."""

_BEHIND_NO_WORD = r"(?<![^\W_])(?<![0-9][./ -])"
_BEFORE_NO_WORD = rf"(?![^\W_])(?!{_GAP}?{_DIGIT})"

at_sign = re.compile(_AT)
digit_group = re.compile(f"{_PERCENT}2[0-9A-Fa-f]|({_DIGIT}+)")
"""The digits of a number; those of an encoded separator are passed over, with an empty group."""
international_number = re.compile(
    f"{_PLUS}{_GAP}{{0,4}}{_DIGIT}(?:{_GAP}{{0,4}}{_DIGIT}){{6,18}}(?!{_DIGIT})"
)
"""Digits behind a plus. Up to four too many, as another number may follow."""
trunk_number = re.compile(
    rf"{_BEHIND_NO_WORD}\(?0{_DIGIT}{{1,5}}\)?{_GAP}{{1,4}}{_DIGIT}(?:{_GAP}{{0,3}}{_DIGIT}){{3,14}}(?![^\W_])"
)
"""Digits in groups, the first of which begins with the 0 that many countries dial before an area code."""
american_number = re.compile(f"{_BEHIND_NO_WORD}{_NANP}{_BEFORE_NO_WORD}")
"""Three, three and four digits, in the groups in which the United States and Canada write them."""

_NAME = "[0-9A-Za-z_\u00a1-\u1fff\u2c00-\u2fff\u3040-\ufe50\ufe70-\uff0d\uff10-\uff1f\uff21-\uffef-]"
_LETTER = "[A-Za-z\u00a1-\u1fff\u2c00-\u2fff\u3040-\ufe50\ufe70-\uff0d\uff21-\uffef]"
_DOT = rf"(?:[.\u3002\uff0e]|{_PERCENT}2[Ee])"
mail_domain = re.compile(
    rf"(?:{_NAME}{{1,63}}{_DOT}){{1,10}}(?:xn--[0-9A-Za-z-]{{1,59}}|{_LETTER}{{2,63}})|\[[0-9A-Fa-f.:]{{2,45}}\]"
)
"""Labels and a top level without digits, or the address of a machine in brackets."""
picture_density = re.compile(r"\d+(?:\.\d+)?x\.(?:png|jpe?g|webp|gif|svg|avif)\b", re.IGNORECASE)
"""`hero@2x.png` is a picture, not an address."""
local_character = re.compile(rf"{_NAME}|[.+'!#$%*^`{{}}~]")
encoded_delimiter = re.compile(f"{_PERCENT}(?:3[AaDdFfCcEe]|2[Ff680229])")
plain_date = re.compile(r"\D{0,3}\d{1,2}[./ -]\d{1,2}[./ -](?:19|20)\d\d(?!\d)")

may_be_american = re.compile(rb"-0000(?<=000-0000|00--0000)")
may_be_international = re.compile(rb"\+(?:-{0,4}0){7}")
"""These two on text whose digits are 0 and whose separators are `-`; plain beginnings are found fast."""
may_be_trunk = re.compile(rb"0(?<![01A-Za-z]0)(?<![01]-0)[01]{1,5}[-(]{1,5}[01](?:[-(]{0,3}[01]){3}")
"""On text whose digits are 0 and 1, whose separators are `-`, and parentheses `(`: a number may begin behind
one even where a digit stands before it. Begins with a digit to be found fast."""
