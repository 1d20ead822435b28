"""`python -m bkend`."""

from bkend.cli import main

if __name__ == "__main__":  # serving processes import this file too
    main()
