"""What the doctor knows about each finding: its title, consequence, change and chapter.

The evidence is measured; `finding` puts the two together.
"""

from vae_course.doctor.report import Finding

# name: (title, consequence, change, chapter), a cause before what follows from it
ADVICE = {
    "pictures_not_finite": (
        "The pictures hold numbers that are not finite",
        "One of them makes the loss NaN, and after one step all weights.",
        "images = images[torch.isfinite(images).flatten(1).all(1)], and no division by a standard "
        "deviation of 0",
        "02_from_ae_to_vae",
    ),
    "pictures_unscaled": (
        "The numbers are in raw units, far from 1",
        "Networks start where inputs are about 1 in size. Larger ones make the first steps "
        "explode, and a large column drowns the others in the loss.",
        "for pixels images / 255; for a table (x - x.mean(0)) / x.std(0), without constant columns",
        "06_learned_variance",
    ),
    "pixels_out_of_range": (
        "Pixels lie outside the range that the likelihood or the decoder can reach",
        "Part of every picture cannot be explained, whatever is learned, and a cross-entropy has "
        "no lower limit there.",
        "images = (images - images.min()) / (images.max() - images.min())",
        "06_learned_variance",
    ),
    "test_in_train": (
        "Test pictures are among the training pictures",
        "The test number says how well pictures are remembered, not how well new ones are "
        "described.",
        "train on the training pictures alone: do not concatenate the two sets",
        "02_from_ae_to_vae",
    ),
    "arguments_swapped": (
        "The loss wants its arguments in another order",
        "Called as it is examined here it would be another function.",
        "loss=lambda x, decoded, mean, spread: yours(decoded, x, mean, spread)",
        "03_elbo",
    ),
    "loss_without_gradient": (
        "A part of the loss is counted and never trained",
        "Its number is logged, and no weight learns from it.",
        "keep tensors: no .item(), no .detach(), no torch.no_grad() around a term of the loss",
        "05_reparameterization",
    ),
    "examples_mixed": (
        "The loss of one example depends on the others in its batch",
        "An ELBO is a sum over examples. What is averaged over the batch before the formula binds "
        "the average alone, and each example goes where it likes.",
        "apply the formula to each example, and average over the batch last: "
        ".flatten(1).sum(1).mean()",
        "03_elbo",
    ),
    "spread_is_mean": (
        "The encoder's mean and spread are one and the same",
        "The second head is never used: where the mean is large the noise is large.",
        "log_var = self.head_of_log_var(h), not the mean's head again",
        "02_from_ae_to_vae",
    ),
    "spread_bounded": (
        "The encoder cannot say how certain it is",
        "A log σ is any number: it must fall far below 0 where a latent is used. Bounded, the "
        "noise drowns what the mean says.",
        "no activation after the layer that gives the logarithm",
        "02_from_ae_to_vae",
    ),
    "mean_bounded": (
        "The encoder's means cannot go where the prior is",
        "Half of the prior, or its tails, stay empty, and draws from it decode to nothing that was "
        "trained.",
        "no activation after the layer that gives the mean",
        "02_from_ae_to_vae",
    ),
    "reconstruction_missing": (
        "The loss does not depend on what the decoder returns",
        "The decoder learns nothing.",
        "add -log p(x|z) to the loss",
        "03_elbo",
    ),
    "reconstruction_wrong_sign": (
        "The loss falls as the reconstruction gets worse",
        "Training drives the outputs away from the pictures.",
        "loss = kl - log_likelihood",
        "03_elbo",
    ),
    "kl_missing": (
        "The loss does not depend on the encoder's distribution",
        "This is an autoencoder: its spread shrinks to 0, and draws from the prior decode to "
        "nothing that was trained.",
        "add kl_standard_normal(mean, log_std).mean() to the loss",
        "02_from_ae_to_vae",
    ),
    "kl_wrong_sign": (
        "A term of the KL has the wrong sign",
        "The loss can be lowered without end by moving the posteriors away from the prior.",
        "kl = (0.5 * (mean**2 + exp(2 * log_std) - 1) - log_std).sum(1)",
        "04_analytic_kl",
    ),
    "log_std_as_log_var": (
        "log σ is treated as log σ²",
        "The KL is smaller than it should be and its pull has another strength, though its "
        "minimum is at the same place: the posteriors that training ends with, and every reported "
        "number, are wrong.",
        "kl = (0.5 * (mean**2 + exp(2 * log_std) - 1) - log_std).sum(1), and "
        "z = mean + exp(log_std) * noise",
        "04_analytic_kl",
    ),
    "log_var_as_log_std": (
        "log σ² is treated as log σ",
        "Where one line squares the spread and another does not, the noise that is sampled is not "
        "the noise whose KL is paid.",
        "kl = 0.5 * (mean**2 + exp(log_var) - 1 - log_var).sum(1), and "
        "z = mean + exp(0.5 * log_var) * noise",
        "04_analytic_kl",
    ),
    "kl_missing_half": (
        "The KL misses a factor ½",
        "With a wrong factor on one term the KL is lowest at another distribution than the prior; "
        "with the factor missing everywhere the KL counts twice.",
        "kl = (0.5 * (mean**2 + exp(2 * log_std) - 1) - log_std).sum(1)",
        "04_analytic_kl",
    ),
    "kl_wrong_form": (
        "The KL's terms do not balance",
        "The term is lowest at another distribution than the prior.",
        "kl = (0.5 * (mean**2 + exp(2 * log_std) - 1) - log_std).sum(1)",
        "04_analytic_kl",
    ),
    "mean_for_sum": (
        "A mean stands where a sum belongs",
        "The terms of the ELBO are sums of nats over pixels and over latents. A mean over one of "
        "them divides its weight by their number, which is a KL weight that nobody chose.",
        "sum over all dimensions of one example, then average over the batch: "
        ".flatten(1).sum(1).mean()",
        "07_posterior_collapse",
    ),
    "reconstruction_too_weak": (
        "The reconstruction counts too little for any latent to pay",
        "The ELBO's terms are nats summed over pixels. Where a whole picture is worth less than a "
        "nat, the best code says nothing: collapse.",
        "sum over all pixels of one example, then average over the batch: "
        ".flatten(1).sum(1).mean()",
        "07_posterior_collapse",
    ),
    "batch_reductions_differ": (
        "The terms of the loss grow differently with the batch",
        "The weight of the KL changes with the batch size.",
        "average both terms over the batch: .flatten(1).sum(1).mean()",
        "06_learned_variance",
    ),
    "unexplained_kl_weight": (
        "The KL has a weight that is not 1",
        "What is maximised is not the ELBO, and the logged KL may be scaled too.",
        "loss = (kl - log_likelihood).mean(), with σ learned; if the weight is meant, "
        "declare it: examine(..., beta=...)",
        "06_learned_variance",
    ),
    "log_std_missing_half": (
        "The error and the log of the decoder's σ are out of balance",
        "The likelihood is best at a wrong σ, which also puts a wrong weight on the error "
        "against the KL.",
        "nll = 0.5 * ((x - mean) / std)**2 + log(std), that is ½(error²/σ² + log σ²)",
        "06_learned_variance",
    ),
    "constant_wrong": (
        "The loss holds a constant that no likelihood has",
        "Gradients do not change, but the number is not a log-likelihood and cannot be compared "
        "with anybody's.",
        "add 0.5 * log(2π) once for each pixel, before the sum over pixels",
        "06_learned_variance",
    ),
    "sigmoid_twice": (
        "Probabilities go through a second sigmoid",
        "A loss on logits turns outputs between 0 and 1 into probabilities between 0.5 and 0.73: "
        "no pixel can be dark.",
        "drop the decoder's last sigmoid",
        "06_learned_variance",
    ),
    "bernoulli_on_grey": (
        "A yes-or-no likelihood is used for grey pixels",
        "The cross-entropy of a grey pixel cannot reach 0 and is no log-density: its value cannot "
        "be compared with other models, and samples of it are black-and-white noise.",
        "images = torch.bernoulli(images), or a Gaussian likelihood with a learned σ",
        "06_learned_variance",
    ),
    "sample_not_reparameterized": (
        "No gradient passes through the sample to the encoder",
        "The encoder learns from the KL alone, and moves to the prior: collapse.",
        "z = mean + std * torch.randn_like(mean)",
        "05_reparameterization",
    ),
    "sample_without_noise": (
        "The sample has no noise",
        "The decoder is trained at the means alone, as in an autoencoder; the KL then regularises "
        "a spread that nothing uses.",
        "z = mean + std * torch.randn_like(mean)",
        "05_reparameterization",
    ),
    "sample_wrong_noise": (
        "The noise of the sample is neither exp(spread) nor exp(½ spread)",
        "The noise that is sampled is not the noise whose KL is paid.",
        "z = mean + exp(log_std) * torch.randn_like(mean)",
        "05_reparameterization",
    ),
    "constant_columns": (
        "Columns of the table never change",
        "Standardised they are NaN; with a σ of their own the likelihood has no limit.",
        "x = x[:, x.std(0) > 0]",
        "06_learned_variance",
    ),
    "untrained": (
        "The model paints worse than the mean picture, whatever z is",
        "It is not trained yet, or a finding above kept it from learning. Its latents and outputs "
        "are not judged; findings on the loss hold.",
        "train it, and examine it again",
        "02_from_ae_to_vae",
    ),
    "batch_size_in_loss": (
        "The loss holds the batch size as a number",
        "With another batch, and with the last, smaller one of an epoch, the KL has another "
        "weight.",
        "average both terms over the batch: .flatten(1).sum(1).mean()",
        "06_learned_variance",
    ),
    "kl_piecewise": (
        "The KL counts differently near the prior: a capacity, or free bits",
        "No single β stands for it, so none is judged.",
        "nothing, if it is meant",
        "07_posterior_collapse",
    ),
    "loss_draws_noise": (
        "The loss draws random numbers",
        "Its weights are read as averages over many draws, and only strong slips are named.",
        "nothing, if it is meant; the KL of two normals has a formula without noise",
        "04_analytic_kl",
    ),
    "loss_summed_over_batch": (
        "The loss is summed over the batch",
        "The optimum is the same, but gradients and the logged number grow with the batch size.",
        "loss = per_example.mean()",
        "03_elbo",
    ),
    "loss_to_maximise": (
        "The function rises as the model gets better",
        "It is an ELBO and must be maximised; it was examined with its sign turned.",
        "loss = -elbo",
        "03_elbo",
    ),
    "constants_left_out": (
        "The loss leaves out constants",
        "Training is the same, but the number is not the ELBO.",
        "add 0.5 * log(2π) + log σ for each pixel, and -½ for each latent, where you report it",
        "06_learned_variance",
    ),
    "spread_unknown": (
        "Nothing shows whether the spread is log σ or log σ²",
        "A KL that disagrees with the sampling line would pass unseen.",
        'say it: examine(..., spread="log_var"), or pass your sampling function: sample=...',
        "04_analytic_kl",
    ),
    "reconstruction_unknown": (
        "The reconstruction term is none that the doctor knows",
        "Its weight cannot be read as a σ.",
        "nothing, if it is meant; else -gaussian_log_likelihood(x, mean, log_std)",
        "06_learned_variance",
    ),
    "kl_unknown": (
        "The term on the encoder's distribution is not the analytic KL of two normals",
        "Its weight cannot be read as a β.",
        "nothing, if it is meant; else kl_standard_normal(mean, log_std)",
        "04_analytic_kl",
    ),
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
        "08_latents_that_live",
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
        "rescale each latent and let the decoder undo it: vae_course.latents.rescale; without a "
        "KL, or with a wrong one, mend that first",
        "02_from_ae_to_vae",
    ),
    "blur": (
        "Reconstructions are smoother than the pictures",
        "The best mean output is an average over all that z leaves open, and averages are smooth.",
        "nothing, if the other findings are none: detail below σ is noise to this model; a "
        "smaller error needs more latents, a larger network or more training",
        "09_blur",
    ),
}
ORDER = list(ADVICE)


def finding(name: str, severity: str, evidence: str) -> Finding:
    """The finding `name` with what was measured."""
    title, consequence, change, chapter = ADVICE[name]
    return Finding(name, severity, title, evidence, consequence, change, chapter)
