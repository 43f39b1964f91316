"""Pages that hold live figures, and the three ways in which figures get into a page."""

import torch

from vae_course.models import Autoencoder

# What JupyterLab does with an HTML output: text into a node that is in no document yet, scripts
# made anew, and only then the node into the page.
JUPYTERLAB = """
(text) => {
  const host = document.createElement("div");
  host.innerHTML = text;
  for (const old of host.querySelectorAll("script")) {
    const script = document.createElement("script");
    script.textContent = old.textContent;
    old.replaceWith(script);
  }
  document.body.append(host);
}
"""

# What Colab does: each output in a frame of its own, which may run scripts and nothing else.
COLAB = """
(text) => {
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  frame.srcdoc = text;
  document.body.append(frame);
}
"""


def as_page(*figures) -> str:
    """Figures one below the other, as in a built book."""
    parts = "".join(figure._repr_html_() for figure in figures)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f'<!doctype html><html lang="en"><head>{head}<title>t</title></head>{parts}</html>'


def eager(model: Autoencoder) -> Autoencoder:
    """Random weights, enlarged so that pictures change over the plane as much as trained ones."""
    for layer in model.decoder[::2]:
        layer.weight.data *= 2
        layer.bias.data += 0.1 * torch.randn_like(layer.bias)
    return model.eval().requires_grad_(False)
