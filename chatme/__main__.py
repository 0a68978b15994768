"""``python -m chatme``: the same as the command ``chatme``."""

from __future__ import annotations

import sys

from chatme.cli import main

sys.exit(main())
