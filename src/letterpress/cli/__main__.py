"""`python -m letterpress.cli` is `letterpress`."""

from letterpress.cli.application import main

main()
