"""``python -m torchreid_amd``, the same as ``torchreid-amd``."""

import sys

from torchreid_amd.cli import main

sys.exit(main())
