"""The least-squares loop and the resampling on NVIDIA GPUs."""
