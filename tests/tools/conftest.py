"""Lets tests of the converters import `miniature_downloads`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
