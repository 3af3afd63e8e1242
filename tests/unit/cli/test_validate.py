import subprocess
import sys

import pytest

from letterpress.cli import main
from letterpress.cli.validate import _describe


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--gate", "training_set"], "expected --recommender with the training_set gate"),
        (["--gate", "raw_log", "--range", "yesterday"], "expected a range like 2026-01-05T03--2026-01-05T04"),
        (["--gate", "training_set", "--recommender", "nobody"], "nobody"),
        (["--gate", "marts"], "'marts' is not one of 'raw_log', 'served_predictions'"),
    ],
)
def test_wrong_usage_ends_with_a_sentence_and_two(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["letterpress", "validate", *arguments])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_wrong_usage_is_found_before_the_slow_library_is_imported() -> None:
    """In a process of its own: another test of this one may have imported it."""
    program = (
        "import sys; from letterpress.cli.application import build_app, run_app;"
        "code = run_app(build_app(), ['validate', '--gate', 'raw_log', '--range', 'yesterday']);"
        "print(code, 'great_expectations' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]


def test_warnings_are_shown_and_counted() -> None:
    finding = {
        "table": "raw_slates",
        "expectation": "slates_arrived",
        "found": "0",
        "why": "Nothing is shown.",
    }
    result = {
        "gate": "raw_log",
        "subject": "2026-01-05T03--2026-01-05T04",
        "expectations": 21,
        "warnings": [finding],
        "seconds": 0.8,
        "docs_url": "http://127.0.0.1:8000/data-docs/index.html",
    }

    assert _describe(result).splitlines() == [
        "raw_log passed 2026-01-05T03--2026-01-05T04: 21 expectations, 1 warning, 0.8 s",
        "  warning raw_slates.slates_arrived found 0: Nothing is shown.",
        "  http://127.0.0.1:8000/data-docs/index.html",
    ]
