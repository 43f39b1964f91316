# %% [markdown]
r"""
# Playground

Train a VAE by hand, and see what each word of its loss does. It runs in your browser, wherever you read this page. It needs no kernel and no network.

Press **Run**. Then change something while it trains: *sum* to *mean*, the KL to 0, the noise to 0. Each **story** sets the knobs, says what to watch, and ends with a number that it promised beforehand. The chapter in brackets explains it.
"""

# %%
from vae_course import explorer
from vae_course.claims import begin, claim, summary
from vae_course.explorer import live_vae

seed = begin("playground")

# %% tags=["hide-input"]
explorer.playground()

# %% [markdown]
r"""
What you see, from left to right:

- **Posteriors.** Each dot is the mean of the posterior of one picture that the VAE was *not* trained on, and each ellipse is one standard deviation about it. The dashed circles are one and two standard deviations of the prior. With 8 latents you see the two whose means vary most. With one latent the digits stand in rows.
- **Decoded there.** What the decoder makes of 81 places of the same plane.
- **Pictures.** What goes in, what comes out, and 21 draws of the prior.
- **Curves.** The squared error of those pictures (solid) and of pictures it was trained on (dashed), and the KL in nats.

Below are averages over pictures that were not seen, unless it says *seen*. *Stands for σ* is the $\sigma_x$ of the Gaussian VAE that has the same optimum: $\sigma_x$, times $\sqrt{\beta}$, times $\sqrt{196}$ if you take the mean over the 196 pixels ([chapter 6](06_learned_variance.ipynb)). *KL in gradient* is how much of the gradient at the encoder's outputs comes from the KL: its norm, as a share of the sum of the two norms.

Things to try:

1. Run the first story, then say *mean* and run on. All posteriors become the prior ([chapter 7](07_posterior_collapse.ipynb)). Say *sum* again: do they come back?
2. Run the autoencoder, and note the share of draws in a gap. Press *Re-scale*. The pictures that come out stay the same. Which number changed, and which did not ([chapter 2](02_from_ae_to_vae.ipynb))?
3. Take two pictures, and find the $\sigma_x$ at which their posteriors become one ([chapter 8](08_latents_that_live.ipynb)).
4. Run the first story on, to three thousand steps. Which ELBO rises, and which falls?

## Is it the same VAE?

The browser trains with a few hundred lines of JavaScript. Loss, gradient and Adam are tested against torch. Here is the first story with the course's own `VAE` and `fit`: as many steps, as large a batch, the same 600 digits. Other random numbers, so not the same ELBO, but one like it.
"""

# %%
model, (pictures, _) = live_vae.trained(), live_vae.pictures()
unseen = pictures[live_vae.SEEN :].repeat(20, 1, 1, 1)  # 20 draws of z for each
elbo = model.elbo(unseen).total.detach().mean()
claim("ELBO of pictures that were not seen, with torch", elbo, at_least=38)

# %% [markdown]
r"""
## The checks
"""

# %% tags=["hide-input"]
summary()
