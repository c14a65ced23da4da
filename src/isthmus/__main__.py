"""``python -m isthmus`` and the command ``isthmus``."""

from isthmus._cli.app import main

if __name__ == "__main__":
    main()
