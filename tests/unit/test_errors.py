import pytest

from letterpress import errors


def tree(root: type[errors.LetterpressError]) -> list[type[errors.LetterpressError]]:
    return [root, *(each for child in root.__subclasses__() for each in tree(child))]


@pytest.mark.parametrize("error", tree(errors.LetterpressError))
def test_every_error_stands_in_the_tree_at_the_top_and_says_how_it_ends(
    error: type[errors.LetterpressError],
) -> None:
    if error.__module__ == "letterpress.errors":
        assert error.__name__ in (errors.__doc__ or "")
    assert error.exit_code in {1, 2, 3}
    assert 400 <= error.http_status < 600
    assert error.title
