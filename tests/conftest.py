"""The Hub's own client asks the servers of the tests without Xet, as the README tells its users."""

import os

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read when huggingface_hub is imported
