"""The public API as people use it: type checkers must take it as it is, and it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isthmus as ist


def train_and_use(data: ist.data.Data) -> np.ndarray:
    """A member is made, trained, and asked for what it knows."""
    vae = ist.VAE(latent_dim=2, hidden=(32,), likelihood="bernoulli", beta=0.5, epochs=1, verbose=0)
    vae.fit(data.train, validation_data=data.test)
    codes = vae.transform(data.test.x)
    back = vae.inverse_transform(codes)
    assert back.shape == data.test.x.shape
    per_example: dict[str, np.ndarray] = vae.terms(data.test.x)
    assert per_example["rate"].shape == vae.score_samples(data.test.x).shape
    assert vae.score(data.test.x) < 0 < vae.nll(data.test.x, samples=2).mean()
    return vae.sample(4, temperature=0.8, random_state=0)


def own_networks() -> ist.AE:
    """An encoder may be a module, or a callable that makes one."""
    from torch import nn

    def encoder(shape: tuple[int, ...]) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.ReLU())

    return ist.AE(latent_dim=2, encoder=encoder, network="mlp", random_state=0)


def parts(data: ist.data.Data) -> dict[str, object]:
    """A slot takes a part in the place of its name; its fields are reached through the member."""
    vae = ist.VAE(likelihood=ist.likelihoods.Gaussian(scale=0.2), schedule="cosine", verbose=0)
    vae.set_params(likelihood__scale=0.3, epochs=1).fit(data.train)
    return {name: value for name, value in vae.get_params().items() if "__" in name}


def priors(data: ist.data.Data) -> float:
    """A prior is fitted afterwards: by its name, or with settings of one's own."""
    ae = ist.AE(latent_dim=2, epochs=1, verbose=0).fit(data.train)
    ae.fit_prior(data.train, prior=ist.priors.Mixture(components=3, covariance="full"))
    return ae.fit_prior(data.train, prior="mixture").score_prior(data.test.x)


def draw(data: ist.data.Data, model: ist.Estimator) -> list[Figure]:
    """Every figure takes a model, data, or both."""
    return [ist.figures.plane(model, data), ist.figures.reconstructions(model, data)]


def keep(folder: Path, model: ist.Estimator, data: ist.data.Data) -> dict[str, ist.metrics.Measure]:
    """A run is written, read and measured."""
    again = ist.load(model.save(folder / "run"), device="cpu")
    return ist.evaluate(again, data)


def pretrained() -> tuple[ist.VAE, ist.AE]:
    """The name of a pretrained run says which member comes back."""
    return ist.load("pretrained:course-vae"), ist.load("pretrained:course-ae")


def compare(folder: Path, data: ist.data.Data) -> list[str]:
    """Members beside each other, by name or with settings of one's own."""
    found = ist.compare(
        ["ae", ist.SparseAE(sparsity="topk", k=4)],
        data,
        folder / "page",
        snapshots=0,
        overrides={"epochs": 1, "verbose": 0},
    )
    assert found.page.exists() and isinstance(found, ist.Comparison)
    return [row.label for row in found.rows]


def on_top(data: ist.data.Data) -> np.ndarray:
    """What stands on top of a member, which is an estimator of scikit-learn as well."""
    detector = ist.OutlierDetector(ist.AE(epochs=1, verbose=0), contamination=0.1)
    typical = detector.fit(data.train).predict(data.test.x)
    classifier = ist.AutoencoderClassifier(member="ae", freeze=True, epochs=1, verbose=0)
    assert classifier.fit(data.train).predict(data.test.x).shape == typical.shape
    return classifier.predict_proba(data.test.x)


def refused(data: ist.data.Data) -> str:
    """Errors have names."""
    try:
        ist.VAE(latent_dim=0).fit(data.train)
    except ist.InputError as error:
        return str(error)
    return ""


def known() -> list[str]:
    """The registries say what there is."""
    return [*ist.MEMBERS, *ist.registry.LIKELIHOODS, *ist.PRIORS, ist.__version__]
