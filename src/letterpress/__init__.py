"""Letterpress: the recommendation platform behind an e-mail editor.

`settings.py`, `errors.py`, `log.py` and `clock.py` are the foundation that every room may use. Each
folder is a room: its `__init__.py` says what lives there and which rooms it may ask. The import
contract in `pyproject.toml` holds them to it.
"""

__version__ = "0.1.0"
