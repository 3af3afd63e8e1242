"""Reading lines out of whole and damaged files."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
import zstandard

from letterpress.events.codec import MAX_LINE_BYTES
from letterpress.lake.log_file import LogFile


def write(path: Path, data: bytes) -> LogFile:
    path.write_bytes(data)
    return LogFile(path)


def read(file: LogFile) -> list[tuple[int, bytes]]:
    return [pair for some in file.lines() for pair in zip(some.numbers, some.texts, strict=True)]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_lines_are_numbered_and_those_of_white_space_left_out(tmp_path: Path, suffix: str) -> None:
    text = b"one\n\n\r\ntwo\n \t\r\nthree"
    packed = {"": text, ".gz": gzip.compress(text), ".zst": zstandard.compress(text)}[suffix]
    file = write(tmp_path / f"log.jsonl{suffix}", packed)
    assert read(file) == [(1, b"one"), (4, b"two"), (6, b"three")]
    assert file.sha256 == hashlib.sha256(packed).hexdigest()
    assert (file.size, file.damage) == (len(packed), None)


@pytest.mark.parametrize("text", [b"one\ntwo\n", b"one\ntwo", b"one"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, text: bytes) -> None:
    mark = b"\xef\xbb\xbf"
    assert [line for _, line in read(write(tmp_path / "log.jsonl", mark + text))] == text.split()
    assert read(write(tmp_path / "empty.jsonl", mark)) == []
    assert read(write(tmp_path / "later.jsonl", b"one\n" + mark + b"two")) == [
        (1, b"one"),
        (2, mark + b"two"),
    ]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_members_that_were_appended_are_one_file(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    suffix = "gz" if pack is gzip.compress else "zst"
    file = write(tmp_path / f"log.jsonl.{suffix}", pack(b"one\ntw") + pack(b"o\nthree\n"))
    assert [text for _, text in read(file)] == [b"one", b"two", b"three"]
    assert file.damage is None


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_of_a_truncated_file_the_whole_lines_are_read(tmp_path: Path, suffix: str) -> None:
    text = b"".join(hashlib.sha256(b"%d" % number).hexdigest().encode() + b"\n" for number in range(20_000))
    packed = gzip.compress(text) if suffix == "gz" else zstandard.compress(text)
    file = write(tmp_path / f"log.jsonl.{suffix}", packed[: len(packed) // 2])
    lines = [line for _, line in read(file)]
    assert file.damage == "truncated_file"
    assert lines
    assert lines == text.splitlines()[: len(lines)]
    assert text.startswith(b"\n".join([*lines, file.rest]))


def test_a_damaged_middle_ends_the_file(tmp_path: Path) -> None:
    packed = gzip.compress(b"one\ntwo\n") + b"this is no gzip"
    file = write(tmp_path / "log.jsonl.gz", packed)
    assert [text for _, text in read(file)] == [b"one", b"two"]
    assert file.damage == "corrupt_file"
    assert file.sha256 == hashlib.sha256(packed).hexdigest()


def test_what_is_no_gzip_at_all_has_no_lines(tmp_path: Path) -> None:
    file = write(tmp_path / "log.jsonl.gz", b"plain text\n")
    assert read(file) == []
    assert file.damage == "corrupt_file"


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_an_endless_line_is_dropped_and_the_next_is_read(tmp_path: Path, suffix: str) -> None:
    length = 3 * MAX_LINE_BYTES
    text = b"one\n" + b"x" * length + b"\nthree\n"
    packed = {"": text, ".gz": gzip.compress(text, 1), ".zst": zstandard.compress(text)}[suffix]
    file = write(tmp_path / f"log.jsonl{suffix}", packed)
    assert read(file) == [(1, b"one"), (3, b"three")]
    ((number, beginning, found),) = file.too_long
    assert (number, found) == (2, length)
    assert beginning == b"x" * len(beginning)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_an_empty_file_has_no_lines(tmp_path: Path, suffix: str) -> None:
    packed = {"": b"", ".gz": gzip.compress(b""), ".zst": zstandard.compress(b"")}[suffix]
    file = write(tmp_path / f"log.jsonl{suffix}", packed)
    assert (read(file), file.damage) == ([], None)
