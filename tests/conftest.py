import os

import pytest
import torch

if not os.environ.get("MPLBACKEND"):
    os.environ["MPLBACKEND"] = "Agg"


@pytest.fixture(autouse=True)
def fixed_random_numbers():
    """Every test draws the same numbers, whatever ran before it."""
    torch.manual_seed(0)
