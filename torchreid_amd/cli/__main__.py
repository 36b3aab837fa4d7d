"""``python -m torchreid_amd.cli``."""

import sys

from torchreid_amd.cli import main

sys.exit(main())
