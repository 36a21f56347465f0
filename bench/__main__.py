"""`python -m bench` is `pinlu`."""

import sys

from bench.cli import main

sys.exit(main())
