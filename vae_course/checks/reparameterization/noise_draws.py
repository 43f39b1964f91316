"""Until the other chapters import it from its new place."""

from vae_course.checks.judging.seeded import seeded  # noqa: F401
