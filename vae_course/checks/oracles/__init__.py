"""What the checks compare with: oracles, one idea a module."""
