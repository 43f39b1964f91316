"""What the doctor knows about each finding on behaviour; see `advice`."""

# name: (title, consequence, change, chapter)
SYMPTOM_ADVICE = {
    "not_finite": (
        "The encoder or the decoder returns numbers that are not finite",
        "Nothing else can be measured.",
        "lower the learning rate, bound log σ from below, and start training again",
        "06_learned_variance",
    ),
    "not_deterministic": (
        "Encoding the same pictures twice gives two answers",
        "Either dropout or batch normalisation is still in training mode, or encode returns a "
        "sample instead of the mean; every number below is blurred by it.",
        "model.eval() before you examine, and let encode return (mean, log_std)",
        "05_reparameterization",
    ),
    "sigma_not_rmse": (
        "The noise that the loss assumes is not the error that the model makes",
        "A larger σ than the root mean squared error weakens the reconstruction against the KL "
        "and wastes latents; a smaller one starves the KL.",
        "log_std = (x - mean).square().mean().sqrt().log(), or learn it",
        "06_learned_variance",
    ),
    "train_test_gap": (
        "New pictures are described worse than the training pictures",
        "The model remembers its training pictures.",
        "use more pictures, a smaller model or fewer epochs, and report the test number",
        "02_from_ae_to_vae",
    ),
    "decoder_without_z": (
        "The decoder does not use z at all",
        "It paints one picture, and no weight of the loss can change that.",
        "let decode(z) compute its output from z",
        "07_posterior_collapse",
    ),
    "collapsed_latents": (
        "Latents carry nothing",
        "A latent whose posterior is the same for every picture tells the decoder nothing.",
        "where all latents are idle, lower the weight of the KL to what the ELBO says; where some "
        "are, nothing: they are surplus",
        "07_posterior_collapse",
    ),
    "decoder_ignores_z": (
        "The decoder paints the same picture, whatever z is",
        "Reconstructions and samples are one average picture.",
        "look for the cause among the findings above",
        "07_posterior_collapse",
    ),
    "aggregate_misses_prior": (
        "The latents of all pictures together are not distributed as the prior",
        "Draws from the prior land where the decoder was not trained, and miss where it was. At "
        "a minimum of the right loss each used latent has mean 0 and E(μ² + σ²) = 1.",
        "train longer; if it stays, look at the KL",
        "02_from_ae_to_vae",
    ),
    "blur": (
        "Reconstructions are smoother than the pictures",
        "The best mean output is an average over all that z leaves open, and averages are smooth.",
        "nothing, if the other findings are none: detail below σ is noise to this model; a "
        "smaller error needs more latents, a larger network or more training",
        "08_blur",
    ),
}
