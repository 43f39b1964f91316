"""The small package shared by the chapters: data -> models -> objectives -> training -> evaluation."""

__version__ = "0.1.0"
