"""What a loss says about itself."""
