"""What the doctor knows about each finding: its title, consequence, change and chapter.

The evidence is measured; `finding` puts the two together.
"""

from vae_course.doctor.loss_advice import LOSS_ADVICE
from vae_course.doctor.report import Finding
from vae_course.doctor.symptom_advice import SYMPTOM_ADVICE

# name: (title, consequence, change, chapter), a cause before what follows from it
ADVICE = LOSS_ADVICE | SYMPTOM_ADVICE
ORDER = list(ADVICE)


def finding(name: str, severity: str, evidence: str) -> Finding:
    """The finding `name` with what was measured."""
    title, consequence, change, chapter = ADVICE[name]
    return Finding(name, severity, title, evidence, consequence, change, chapter)
