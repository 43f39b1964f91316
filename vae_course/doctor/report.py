"""`Finding` and `Report`: what the doctor says, as text and as HTML."""

import html
from dataclasses import dataclass

SEVERITIES = ("error", "warning", "note")

CHAPTERS = {
    "01_autoencoders": "Chapter 1, Autoencoders",
    "02_from_ae_to_vae": "Chapter 2, From autoencoder to variational auto-encoder",
    "03_elbo": "Chapter 3, The ELBO, line by line",
    "04_analytic_kl": "Chapter 4, The analytic KL, and a check that is blind",
    "05_reparameterization": "Chapter 5, The reparameterization trick",
    "06_learned_variance": "Chapter 6, MSE or a learned variance",
    "07_posterior_collapse": "Chapter 7, Posterior collapse",
    "08_latents_that_live": "Chapter 8, Latents that live",
    "09_blur": "Chapter 9, Why outputs are blurry",
}

KEYS = {  # plain names for what is measured, safe for a logger's keys
    "pixels D": "pixels",
    "latents d": "latents",
    "latents in use": "latents_in_use",
    "KL, nats a picture": "kl",
    "E(μ² + σ²), latents in use": "second_moment",
    "RMSE at sampled z": "rmse",
    "RMSE of the mean picture": "rmse_of_mean_picture",
    "RMSE on test pictures": "rmse_on_test",
    "spread read as": "spread",
    "decoder's σ": "decoder_sigma",
    "reconstruction term": "reconstruction",
    "β, the KL's weight": "beta",
    "σ that the loss stands for": "implied_sigma",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    `name` never changes and is safe to test for; `severity` is "error", "warning" or "note";
    `title`, `evidence`, `consequence` and `fix` are plain sentences; `chapter` is a key of
    `CHAPTERS`.
    """

    name: str
    severity: str
    title: str
    evidence: str
    consequence: str
    fix: str
    chapter: str

    def __str__(self) -> str:
        return (
            f"{self.severity.upper()}: {self.title} [{self.name}]\n"
            f"  Evidence: {self.evidence}\n"
            f"  Consequence: {self.consequence}\n"
            f"  Change: {self.fix}\n"
            f"  Read: {CHAPTERS[self.chapter]}"
        )

    def to_html(self, book: str | None = None) -> str:
        """A heading and a description list; the chapter is a link if `book` says where it is."""
        chapter = CHAPTERS[self.chapter]
        if book is not None:
            link = html.escape(f"{book.rstrip('/')}/{self.chapter}.html")
            chapter = f'<a href="{link}">{chapter}</a>'
        parts = {"Evidence": self.evidence, "Consequence": self.consequence, "Change": self.fix}
        listed = "".join(f"<dt>{key}</dt><dd>{html.escape(x)}</dd>" for key, x in parts.items())
        title = f"{self.severity.capitalize()}: {html.escape(self.title)}"
        return (
            f"<h4>{title} <code>{self.name}</code></h4>"
            f"<dl>{listed}<dt>Read</dt><dd>{chapter}</dd></dl>"
        )


@dataclass(frozen=True)
class Report:
    """What `examine` found and measured.

    `findings` are sorted: a cause before what follows from it, notes last.
    `measurements` maps what was measured to a number or words, with the unit in the name.
    """

    findings: tuple[Finding, ...]
    measurements: dict[str, float | str]

    @property
    def healthy(self) -> bool:
        """No error and no warning. Notes do not count."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the errors and warnings, causes first."""
        return tuple(f.name for f in self.findings if f.severity != "note")

    @property
    def notes(self) -> tuple[str, ...]:
        """The names of the notes."""
        return tuple(f.name for f in self.findings if f.severity == "note")

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"found {[f.name for f in self.findings]}, not {name!r}")

    def without(self, *names: str) -> "Report":
        """The report without the findings of these names: you know of them."""
        kept = tuple(f for f in self.findings if f.name not in names)
        return Report(kept, self.measurements)

    def to_dict(self) -> dict[str, float | str | bool]:
        """One level, plain keys: for TensorBoard, W&B or JSON.

        `healthy`; `errors`, `warnings`, `notes` count; `finding/NAME` is the evidence; what was
        measured has the names in `KEYS`, in nats a picture where it is a KL.
        """
        counts = {f"{word}s": sum(f.severity == word for f in self.findings) for word in SEVERITIES}
        found = {f"finding/{f.name}": f.evidence for f in self.findings}
        measured = {KEYS[name]: value for name, value in self.measurements.items()}
        return {"healthy": self.healthy, **counts, **measured, **found}

    def verdict(self) -> str:
        """The result in one sentence."""
        if self.healthy:
            return "A clean bill: no errors, no warnings."
        counts = {
            word: sum(f.severity == word for f in self.findings) for word in ("error", "warning")
        }
        said = [f"{n} {word}{'s' * (n > 1)}" for word, n in counts.items() if n]
        return f"{' and '.join(said)}: {', '.join(self.names)}."

    def __str__(self) -> str:
        width = max(map(len, self.measurements))
        measured = [f"  {name:<{width}}  {_words(x)}" for name, x in self.measurements.items()]
        return "\n\n".join(
            [self.verdict(), *map(str, self.findings), "\n".join(["Measured:", *measured])]
        )

    __repr__ = __str__

    def to_html(self, book: str | None = None) -> str:
        """The report as HTML that inherits the page's colours; `book` is the folder of chapters."""
        rows = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(_words(x))}</td></tr>'
            for name, x in self.measurements.items()
        )
        found = "".join(finding.to_html(book) for finding in self.findings)
        return (
            '<section aria-label="The doctor\'s report">'
            f"<p><strong>{html.escape(self.verdict())}</strong></p>{found}"
            f"<table><caption>Measured</caption><tbody>{rows}</tbody></table></section>"
        )

    def _repr_html_(self) -> str:
        return self.to_html()


def number(value: float) -> str:
    """Three digits, and no exponent where plain digits are shorter."""
    if value and (abs(value) >= 1e6 or abs(value) < 1e-3):
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _words(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)
