"""One thread on either side, so that ratios compare algorithms."""

import torch

torch.set_num_threads(1)
