"""`python -m pipeline` is `datumd`."""

import sys

from pipeline.cli import main

sys.exit(main())
