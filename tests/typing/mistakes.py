"""What type checkers must find: the lines that end in ``# wrong``, and no others. Never run."""

from __future__ import annotations

import isthmus as ist


def mistakes(data: ist.data.Data) -> None:
    """One mistake a line."""
    ist.VAE(latent_dim="two")  # wrong
    ist.VAE(lr=1)  # wrong
    ist.VAE(likelihood="bernouli")  # wrong
    ist.VAE(network="cnn")  # wrong
    ist.VAE(2)  # wrong
    ist.AE(beta=1.0)  # wrong
    ist.AE(hidden=256)  # wrong
    ist.VEA()  # wrong
    ist.fit_prior(data)  # wrong
    ist.VAE().fit(data.train).tranform(data.test.x)  # wrong
    ist.VQVAE(quantizer="vqq")  # wrong
    ist.VAE(likelihood=ist.quantizers.VectorQuantizer())  # wrong
    ist.VAE(likelihood=ist.likelihoods.Gaussian(scale="wide"))  # wrong
    ist.likelihoods.Gaussian(sigma=0.1)  # wrong
    ist.OutlierDetector(ist.AE(), criterion="rate")  # wrong
    ist.AutoencoderClassifier(member=3)  # wrong
    ist.priors.Mixture(components="ten")  # wrong
    ist.priors.Mixture(covariance="fulll")  # wrong
    ist.figures.plain(ist.AE(), data)  # wrong
    ist.load("run", trust="yes")  # wrong
    ist.load("pretrained:course-ae").nll(data.test.x)  # wrong
    ist.compare(["ae"], data)  # wrong
    ist.compare("ae vae", data, "page").tabel()  # wrong
    _ = ist.evaluate(ist.AE(), data)["psnr"].valeu  # wrong
    _ = ist.data.load("digits").trian  # wrong
    ist.VAE(latent_dim=2, likelihood="bernoulli", hidden=(8,), schedule="cosine")
