"""Settings for every test: one thread, so that small problems are not slowed down by handing them out."""

import torch

torch.set_num_threads(1)
