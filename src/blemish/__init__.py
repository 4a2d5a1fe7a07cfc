"""Blemish: visual defect inspection that learns from photographs of good parts.

Importing this package loads nothing heavy; each floor is imported by the verb that needs it.
"""

import os

# On a busy machine the threads of torch spin and starve each other. It is read when torch is imported, so it is set
# here, before any part of Blemish can import torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
