"""Training that grows: several GPUs, several machines, and runs that survive a kill.

`python -m vae_course.train --help` says how. What it trained is read by `load_model`, which needs
torch and safetensors alone.
"""

from vae_course.train.checkpoint import CheckpointError, export_model, load_model

__all__ = ["CheckpointError", "export_model", "load_model"]
