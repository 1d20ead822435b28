"""`python -m bkend`."""

from bkend.cli import main

main()
