"""Personal data in events: identifiers become keyed hashes, e-mail addresses and telephone numbers tokens.

Nothing is detected that only a person would recognise: names, postal addresses, bare runs of digits.
`docs/privacy.md` lists what is found and what is not.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

from letterpress.events import contact_patterns as patterns

EMAIL, PHONE, IDENTIFIER = "email", "phone", "identifier"
KINDS: tuple[str, ...] = (EMAIL, PHONE, IDENTIFIER)
"""What is found and counted."""
Key = Callable[[], bytes]
"""Gives the key; asked only when something was found, because asking may make one."""
LONGEST_IDENTIFIER = 200
REGIONS: tuple[str, ...] = (
    *("GB", "DE", "FR", "IT", "NL", "BE", "AT", "CH", "IE", "SE", "FI", "AU", "NZ", "JP", "KR", "IN"),
    *("ZA", "TR", "UA", "RO", "BR", "IL", "AE", "EG", "PH", "TH", "VN", "ID", "MY"),
)
"""Countries whose national way to write a number, with a leading 0, is known to the detection."""

_MOST_TRIES = 100
"""Candidates of one text that are looked at; the rest of a text with more is masked as a whole."""
_LONGEST_LOCAL = 128
_TOKEN_DIGITS = 16
_BLOCK_BYTES = 64
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
"""As RFC 2104 makes HMAC out of SHA-256."""
_PSEUDONYM = re.compile(r"h1:[0-9a-f]{32}")
_GAPS = b" ./()-"
_FORM = bytes.maketrans(b"123456789" + _GAPS, b"0" * 9 + b"-" * len(_GAPS))
_ZERO_OR_NOT = bytes.maketrans(b"123456789()" + b" ./", b"1" * 9 + b"((" + b"-" * 3)
_candidate = re.compile(patterns.CANDIDATE)


def pseudonymise(value: str, key: bytes) -> str:
    """`h1:` and 32 hex digits of HMAC-SHA256; what has that form already stays as it is."""
    return value if is_pseudonym(value) else f"h1:{_digest(value, key)[:32]}"


def pseudonymise_all(values: Iterable[str], key: bytes) -> list[str]:
    """`pseudonymise` for many values that have no such form yet: the key is prepared once, not once a value.

    >>> pseudonymise_all(["bob"], b"key") == [pseudonymise("bob", b"key")]
    True
    """
    block = (key if len(key) <= _BLOCK_BYTES else sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")
    inner, outer = sha256(block.translate(_INNER_PAD)), sha256(block.translate(_OUTER_PAD))
    hashed = []
    for value in values:
        first, second = inner.copy(), outer.copy()
        first.update(value.encode())
        second.update(first.digest())
        hashed.append(f"h1:{second.hexdigest()[:32]}")
    return hashed


def is_pseudonym(value: str) -> bool:
    """Whether `value` is what `pseudonymise` makes.

    >>> is_pseudonym("h1:" + "0f" * 16), is_pseudonym("bob")
    (True, False)
    """
    return _PSEUDONYM.fullmatch(value) is not None


def may_hold_contact(plain: bytes) -> bool:
    """Whether texts, or a line of JSON with them, deserve a closer look. Never wrongly False, and quick."""
    if b"@" in plain or b"%" in plain or not plain.isascii():
        return True
    form = plain.translate(_FORM)
    if patterns.may_be_american.search(form) is not None:
        return True
    if b"+" in plain and patterns.may_be_international.search(form) is not None:
        return True
    return patterns.may_be_trunk.search(plain.translate(_ZERO_OR_NOT)) is not None


def mask_text(text: str, key: Key, found: Counter[str]) -> str:
    """`text` with a token for every address and number in it, equal ones by equal tokens; adds to `found`.

    What would grow beyond the length of an identifier becomes one token as a whole.
    """
    if _candidate.search(text) is None:
        return text
    before, masked = "", text
    while masked != before:  # what one removes may have hidden where the next begins
        before, masked = masked, _mask_numbers(_mask_addresses(masked, key, found), key, found)
    if len(masked) > LONGEST_IDENTIFIER >= len(text):
        return f"[masked:{_digest(text, key())[:_TOKEN_DIGITS]}]"
    return masked


def mask_value(value: Any, key: Key, found: Counter[str]) -> Any:
    """A decoded JSON value with every text in it masked, the names of fields too."""
    if isinstance(value, str):
        return mask_text(value, key, found)
    if isinstance(value, dict):
        return {mask_text(name, key, found): mask_value(child, key, found) for name, child in value.items()}
    if isinstance(value, list):
        return [mask_value(child, key, found) for child in value]
    return value


def _digest(text: str, key: bytes) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def _token(kind: str, text: str, key: Key, found: Counter[str]) -> str:
    found[kind] += 1
    return f"[{kind}:{_digest(text, key())[:_TOKEN_DIGITS]}]"


def _mask_addresses(text: str, key: Key, found: Counter[str]) -> str:
    pieces, done = [], 0
    for sign in patterns.at_sign.finditer(text):
        begin = _local_start(text, done, sign.start())
        domain = patterns.mail_domain.match(text, sign.end())
        if begin == sign.start() or domain is None or patterns.picture_density.match(text, sign.end()):
            continue
        pieces += [text[done:begin], _token(EMAIL, text[begin : domain.end()], key, found)]
        done = domain.end()
    return "".join([*pieces, text[done:]])


def _local_start(text: str, first: int, end: int) -> int:
    """Where the part of an address before its `@` at `end` begins; `end` when there is none."""
    lowest = max(first, end - _LONGEST_LOCAL)
    if end > first and text[end - 1] == '"':
        quote = text.rfind('"', lowest, end - 1)
        return end if quote < 0 else quote
    begin = end
    while begin > lowest and patterns.local_character.fullmatch(text, begin - 1, begin):
        begin -= 1
    local = text[begin:end]
    for delimiter in patterns.encoded_delimiter.finditer(local):
        if delimiter.end() < len(local):
            begin = end - len(local) + delimiter.end()
    while begin < end and text[begin] in "'`{*!#^~.":
        begin += 1
    return begin


def _mask_numbers(text: str, key: Key, found: Counter[str]) -> str:
    for pattern, is_number in _NUMBERS:
        pieces, rest, position, tries = [], text, 0, 0
        while (match := pattern.search(rest, position)) is not None:
            tries += 1
            end = len(rest) if tries > _MOST_TRIES else _end_of_number(match, is_number)
            if end is None:
                position = match.start() + 1
                continue
            pieces += [rest[: match.start()], _token(PHONE, rest[match.start() : end], key, found)]
            rest, position = rest[end:], 0
        text = "".join([*pieces, rest])
    return text


def _end_of_number(match: re.Match[str], is_number: Callable[[str, list[str]], bool]) -> int | None:
    """Where the longest number that begins with `match` ends; None when none does."""
    found = patterns.digit_group.finditer(match.string, *match.span())
    groups = [each.span(1) for each in found if each[1] is not None]
    for last in range(len(groups), 0, -1):
        end = groups[last - 1][1]
        parts = [match.string[begin:stop] for begin, stop in groups[:last]]
        if is_number(match.string[match.start() : end], parts):
            return end
    return None


def _is_international(_: str, parts: list[str]) -> bool:
    import phonenumbers

    number = "".join(parts)
    if not 7 <= len(number) <= 15:
        return False
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return False
    possible: bool = (
        phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    )
    return possible


def _is_trunk(text: str, parts: list[str]) -> bool:
    """A number of one of `REGIONS` with its area code set apart as usual there, or 00 and a country."""
    import phonenumbers

    number = "".join(parts)
    if not 9 <= len(number) <= 15 or len(parts) < 2 or patterns.plain_date.match(text):
        return False
    if number.startswith("00"):
        return _is_valid(f"+{number[2:]}", None)
    for region in REGIONS:
        if _is_valid(number, region):
            usual = phonenumbers.format_number(
                phonenumbers.parse(number, region), phonenumbers.PhoneNumberFormat.NATIONAL
            )
            first = patterns.digit_group.search(usual)
            if first is not None and first[1] == parts[0]:
                return True
    return False


def _is_american(text: str, parts: list[str]) -> bool:
    """The form says enough, but for spaces alone: three sizes in a row have the same form."""
    has_form = any(mark in text for mark in "(.-/%\u2010\u2011\u2012\u2013\u2014")
    return has_form or _is_valid("".join(parts), "US")


def _is_valid(number: str, region: str | None) -> bool:
    import phonenumbers

    try:
        valid: bool = phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
    return valid


_NUMBERS = (
    (patterns.international_number, _is_international),
    (patterns.trunk_number, _is_trunk),
    (patterns.american_number, _is_american),
)
