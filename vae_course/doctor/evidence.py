"""How each finding is found, and when it is no finding: what stands on the page "The doctor".

name: what is measured; what comes near it and is right.
"""

EVIDENCE = {
    "pictures_not_finite": (
        "The numbers of the pictures are counted that are NaN or infinite.",
        "nothing: no loss survives one of them",
    ),
    "pictures_unscaled": (
        "Numbers beyond ±20, or columns whose standard deviations differ a hundredfold.",
        "bytes 0..255 that the loss itself divides by 255",
    ),
    "pixels_out_of_range": (
        "The decoder is pushed with z far out, and what it can say is compared with the pictures.",
        "pixels −1..1 that the loss brings to 0..1 first",
    ),
    "test_in_train": (
        "Test pictures are looked up among the training pictures, number for number.",
        "small black-and-white pictures, which repeat by themselves",
    ),
    "arguments_swapped": (
        "The names of the arguments are read, and the other orders are tried.",
        "any order, once it is handed over in a lambda",
    ),
    "loss_without_gradient": (
        "The slope that autograd sees is compared with a small step.",
        "a constant, such as log 2π",
    ),
    "examples_mixed": (
        "The loss of a batch is compared with the average of the losses of its examples.",
        "a total correlation, a discrepancy between batches, σ found from the batch's own error",
    ),
    "spread_is_mean": (
        "The encoder's two answers are compared, number for number.",
        "a shared body with two heads",
    ),
    "spread_bounded": (
        "The encoder is pushed with pictures thirty times too bright.",
        "a softplus that gives σ itself; a clamp far out",
    ),
    "mean_bounded": (
        "The encoder is pushed with pictures thirty times too bright.",
        "means that merely stay small",
    ),
    "reconstruction_missing": (
        "Other outputs of the decoder leave the loss as it is.",
        "a loss that is small, yet moves",
    ),
    "reconstruction_wrong_sign": (
        "The weight of the error is negative, that of the KL is not.",
        "an ELBO, where both are: it is read with its sign turned",
    ),
    "kl_missing": (
        "Other means and spreads leave the loss as it is.",
        "a weight of 10⁻⁸, which shows in its slope",
    ),
    "kl_wrong_sign": (
        "The weights of μ², σ² and log σ are fitted; one has the wrong sign.",
        "a capacity |KL − C|, which falls below C",
    ),
    "log_std_as_log_var": (
        "The sampling line, or the noise that training came to rest at, says log σ; the KL log σ².",
        "a variable called logvar that is log σ in every line",
    ),
    "log_var_as_log_std": (
        "The sampling line, or the noise that training came to rest at, says log σ²; the KL log σ.",
        "a variable called log_std that is log σ² in every line",
    ),
    "kl_missing_half": (
        "The fitted weights of μ², σ² and log σ do not stand as 1 : 1 : −2.",
        "½ kept outside the bracket",
    ),
    "kl_wrong_form": (
        "The fitted weights balance at another σ than 1; or no KL fits, and the term is lower "
        "elsewhere than at the prior.",
        "free bits, a capacity, an estimate at one draw",
    ),
    "mean_for_sum": (
        "A weight is a plain number only after it is multiplied by the number of pixels, or of "
        "latents.",
        "both terms divided by one number, as nats per dimension",
    ),
    "reconstruction_too_weak": (
        "The loss of the mean picture less that of the picture itself is under one nat of its KL.",
        "a loss of unknown form that is large enough",
    ),
    "batch_reductions_differ": (
        "The two terms are followed as the batch grows from 2 to 4, 8 and 16.",
        "the batch size written as a number, at that batch size",
    ),
    "unexplained_kl_weight": (
        "β is read from the loss, and is neither 1 nor what you declared.",
        "a weight that is declared: beta=4.0",
    ),
    "log_std_missing_half": (
        "The likelihood is best at another σ² than the squared error.",
        "the same terms, all twice as large",
    ),
    "constant_wrong": (
        "What is left of the loss without its terms is no constant of its likelihood.",
        "constants that are left out, as a whole or in part",
    ),
    "sigmoid_twice": (
        "The loss takes logits, and all outputs lie between 0 and 1.",
        "logits that happen to be small and negative",
    ),
    "bernoulli_on_grey": (
        "Pixels are counted that are neither 0 nor 1, and what they cost at best.",
        "black-and-white pixels; a Gaussian on grey ones",
    ),
    "sample_not_reparameterized": (
        "The gradient of z with respect to mean and spread is 0 or missing.",
        "rsample()",
    ),
    "sample_without_noise": (
        "Four thousand draws are one number.",
        "a very small σ",
    ),
    "sample_wrong_noise": (
        "The standard deviation of draws is measured at two spreads, and their correlations.",
        "any way to write mean + std * noise",
    ),
    "constant_columns": (
        "Columns are counted that hold one number.",
        "dark rims of pictures in rows",
    ),
    "untrained": (
        "The error is larger than that of the mean picture, with any z.",
        "a model after its first hundred steps",
    ),
    "batch_size_in_loss": (
        "At one whole batch size the KL's weight is a plain number.",
        "that batch size, as long as no last batch is smaller",
    ),
    "kl_piecewise": (
        "The KL's weight is fitted near the prior and far from it, and is not the same.",
        "it is right where it is meant",
    ),
    "loss_draws_noise": (
        "Two calls with the same numbers differ.",
        "it is right where it is meant",
    ),
    "loss_summed_over_batch": (
        "Four equal pictures have twice the loss of two.",
        "it is right, with a learning rate to match",
    ),
    "loss_to_maximise": (
        "Both terms have a negative weight.",
        "it is right, if the optimizer maximises",
    ),
    "constants_left_out": (
        "The constant is that of the likelihood without some of its parts.",
        "it is right for training, not for reporting",
    ),
    "spread_unknown": (
        "Neither names nor the sampling line nor training itself say it.",
        "a model that was not trained long",
    ),
    "reconstruction_unknown": (
        "None of the formulas fits the values at sixteen points.",
        "perceptual and structural losses",
    ),
    "kl_unknown": (
        "No weights of μ², σ² and log σ fit the values at sixteen points.",
        "free bits, learned priors, discrepancies",
    ),
    "not_finite": (
        "NaN and infinite numbers of encoder, decoder and loss are counted.",
        "nothing",
    ),
    "not_deterministic": (
        "The same pictures are encoded twice.",
        "dropout that rests in eval mode",
    ),
    "sigma_not_rmse": (
        "The σ that the weights stand for is compared with the measured error; a factor of two is "
        "allowed.",
        "a σ that is still learned; one that is smaller than the error of the first steps",
    ),
    "train_test_gap": (
        "Squared errors on test and training pictures, with their standard errors.",
        "a few per cent",
    ),
    "decoder_without_z": (
        "The output is the same to the last digit for every z.",
        "an output that hardly changes",
    ),
    "collapsed_latents": (
        "Latents are counted whose mean does not vary from picture to picture.",
        "surplus latents; every model in its first steps",
    ),
    "decoder_ignores_z": (
        "Another picture's z gives the same error as the picture's own.",
        "every model in its first steps",
    ),
    "aggregate_misses_prior": (
        "E(μ² + σ²) of each latent in use, and the nats that a new scale would save.",
        "a right KL that has not come to rest: then it is a note",
    ),
    "blur": (
        "The variance of the Laplacian of reconstructions against that of the pictures.",
        "it is right: averages are smooth",
    ),
}
