"""``python -m isthmus`` and the command ``isthmus``."""

import sys

try:
    from isthmus._cli.app import main
except KeyboardInterrupt:  # Ctrl-C while it is still loading
    print("isthmus: interrupted", file=sys.stderr)
    raise SystemExit(130) from None

if __name__ == "__main__":
    main()
