"""The small package that the chapters share: data, models, objectives, training, evaluation."""

__version__ = "0.1.0"
