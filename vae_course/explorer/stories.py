"""What the playground can show: settings of a small VAE, what to watch, and what must come out."""

from dataclasses import dataclass, field

# What a story does not say. `std` is σ of a pixel, `pictures` those to train on.
KNOBS = {
    "sum": True,  # over the pixels; else the mean
    "std": 0.2,
    "learned": False,
    "beta": 1.0,
    "kl": "right",  # or "slip", "off"
    "noise": True,
    "anneal": 0,  # steps with β = 0, and again so many while it rises
    "keepScale": False,
    "latents": 2,
    "pictures": 600,
}


@dataclass(frozen=True)
class Outcome:
    """What a story must end with: `measure`, of pictures that were not trained on, in its bounds.

    `text` says what it is, an ELBO or a KL in nats. `digits` are shown.
    """

    text: str
    measure: str
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 2


@dataclass(frozen=True)
class Story:
    """`knobs` differ from `KNOBS`; `watch` is what to look at while `steps` steps are trained."""

    title: str
    chapter: int
    steps: int
    watch: str
    outcomes: tuple[Outcome, ...]
    knobs: dict = field(default_factory=dict)


ALIKE = Outcome("KL", "kl", at_most=0.01, digits=4)

STORIES = {
    "healthy": Story(
        "A VAE that is well",
        2,
        600,
        "Each ellipse is a posterior. They keep apart, and fill the prior's circle. Now change one "
        "word of the loss.",
        (
            Outcome("ELBO", "elbo", at_least=38, digits=1),
            Outcome("share of prior draws in a gap", "inGaps", at_most=0.27),
        ),
    ),
    "autoencoder": Story(
        "An autoencoder and its gaps",
        1,
        300,
        "Codes go where they like. Draws of N(0, I) fall into gaps: further from all codes than "
        "nine in ten new digits. Then re-scale.",
        (Outcome("share of prior draws in a gap", "inGaps", at_least=0.3),),
        {"kl": "off", "noise": False},
    ),
    "mean": Story(
        "One word: the mean over pixels",
        7,
        150,
        "All ellipses become one, the prior. All outputs are the same picture. Now say sum.",
        (ALIKE, Outcome("active latents", "active", at_most=0, digits=0)),
        {"sum": False},
    ),
    "beta": Story(
        "β = 100",
        6,
        150,
        "It ends as with the mean: β = 100 stands for a σ that is ten times larger. Turn β down.",
        (ALIKE, Outcome("active latents", "active", at_most=0, digits=0)),
        {"beta": 100.0},
    ),
    "slip": Story(
        "The slip: log σ for log σ²",
        4,
        300,
        "All looks well, but the cloud is too small. (Every 50 steps it is re-scaled to what is "
        "best for this loss.)",
        (
            Outcome("larger E[μ² + σ²]", "second", at_most=0.55),
            Outcome("active latents", "active", at_least=2, digits=0),
        ),
        {"kl": "slip", "keepScale": True},
    ),
    "noise": Story(
        "No noise in z",
        5,
        300,
        "The KL drives σ to 1, unseen by the decoder. Draw from such a posterior: another digit "
        "comes out. There is no ELBO.",
        (
            Outcome("σ of the posteriors", "sigma", at_least=0.8),
            Outcome("error with noise, over without", "spoilt", at_least=1.6),
        ),
        {"noise": False},
    ),
    "two": Story(
        "Two pictures at the threshold",
        8,
        400,
        "Half their distance is 1.81. At σₓ = 1.45 the best VAE pays 0.34 nats. Raise σₓ above "
        "1.81: both become the average.",
        (Outcome("KL", "kl", at_least=0.24, at_most=0.44),),
        {"pictures": 2, "latents": 1, "std": 1.45},
    ),
    "annealing": Story(
        "Annealing, and the same end",
        8,
        360,
        "While β is 0 the latents live. As it rises to 1 they die, for the mean is still there: "
        "another way, the same optimum.",
        (Outcome("largest KL on the way", "peak", at_least=4, digits=1), ALIKE),
        {"sum": False, "anneal": 120},
    ),
    "overfitting": Story(
        "25 pictures, by heart",
        2,
        300,
        "What it has seen gets better and better, what it has not gets worse. An ELBO speaks of "
        "its pictures.",
        (Outcome("ELBO of those seen, less ELBO", "memorised", at_least=50, digits=1),),
        {"pictures": 25},
    ),
}
