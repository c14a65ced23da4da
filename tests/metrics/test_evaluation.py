"""What is measured of a model, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.metrics import Measure, evaluate
from isthmus.report._reference import PCAReference

CODES = ["linear_probe", "knn5", "kmeans_nmi", "trustworthiness"]


@pytest.fixture(scope="module")
def small(digits: Data) -> Data:
    return replace(digits, train=digits.train.take(slice(300)), test=digits.test.take(slice(120)))


@pytest.fixture(scope="module")
def vae(small: Data) -> ist.Estimator:
    return ist.VAE(epochs=2, random_state=0).fit(small.train)


@pytest.fixture(scope="module")
def measures(vae: ist.Estimator, small: Data) -> dict[str, Measure]:
    return evaluate(vae, small)


@pytest.fixture(scope="module")
def table() -> Data:
    random = np.random.default_rng(0)
    x = random.normal(5, 3, (60, 4)).astype(np.float32)
    return Data("table", Part(x[:40]), Part(x[40:]), columns=("a", "b", "c", "d"))


def test_a_vae_on_images_has_everything_in_order(measures: dict[str, Measure]) -> None:
    first = ["squared_error", "mse", "psnr", "neg_elbo", "distortion", "rate"]
    assert list(measures) == [*first, *CODES, "prior_gap", "active_units"]
    assert all(
        isinstance(m, Measure) and np.isfinite(m.value) and m.unit and m.help.endswith(".")
        for m in measures.values()
    )
    assert all(measures[name].error is not None for name in [*first, *CODES])


def test_a_member_that_tells_classes_is_measured_by_them_too(small: Data) -> None:
    model = ist.LadderNetwork(hidden=(16,), epochs=2, random_state=0).fit(small.train)
    found = evaluate(model, small)["accuracy"]
    right = model.predict(small.test.x) == small.test.y
    assert found.value == pytest.approx(right.mean()) and found.better == "higher"
    assert found.error == pytest.approx(right.std(ddof=1) / np.sqrt(len(right)))
    named = replace(small, classes=tuple("abcdefghij"))
    assert "accuracy" not in evaluate(model, named)  # it knows the classes by other names


def test_the_numbers_are_those_of_the_model(
    measures: dict[str, Measure], vae: ist.Estimator, small: Data
) -> None:
    assert measures["squared_error"].value == pytest.approx(
        vae.squared_error(small.test.x).mean(), rel=1e-5
    )
    assert measures["neg_elbo"].value == pytest.approx(-vae.score(small.test.x), rel=1e-5)
    parts = measures["distortion"].value + measures["rate"].value
    assert measures["neg_elbo"].value == pytest.approx(parts, rel=1e-6)


def test_two_evaluations_agree(
    measures: dict[str, Measure], vae: ist.Estimator, small: Data
) -> None:
    assert evaluate(vae, small) == measures


def test_an_autoencoder_has_a_distortion_but_no_bound(small: Data) -> None:
    measures = evaluate(ist.AE(epochs=1, random_state=0).fit(small.train), small)
    assert list(measures) == ["squared_error", "mse", "psnr", "distortion", *CODES]


def drawn_black_or_white(data: Data) -> Data:
    return replace(
        data,
        **{
            name: replace(part, x=(part.x > 0.5).astype(np.float32))
            for name, part in (("train", data.train), ("test", data.test))
        },
    )


def test_bits_are_told_of_masses_alone(vae: ist.Estimator, small: Data) -> None:
    black_or_white = drawn_black_or_white(small)
    found = evaluate(vae, black_or_white)  # trained on grey values: what is measured decides
    assert found["bits_per_dim"].title == "Bits per dimension (discrete)"
    bits = found["neg_elbo"].value / 64 / np.log(2)
    assert found["bits_per_dim"].value == pytest.approx(bits, rel=1e-5)
    gaussian = ist.VAE(epochs=1, likelihood="gaussian", random_state=0).fit(black_or_white.train)
    for measures in (evaluate(vae, small), evaluate(gaussian, black_or_white)):
        assert "neg_elbo" in measures
        assert not any("bit" in f"{name} {m.title} {m.unit}" for name, m in measures.items())


def test_bits_are_shared_out_over_what_was_observed() -> None:
    x = (np.random.default_rng(0).random((60, 6, 2)) < 0.5).astype(np.float32)
    x[:, 4:] = np.nan
    data = Data("steps", Part(x[:40]), Part(x[40:]))
    model = ist.VAE(kind="sequence", network="recurrent", epochs=1, random_state=0).fit(x[:40])
    found = evaluate(model, data)
    bits = found["neg_elbo"].value / (4 * 2) / np.log(2)
    assert found["bits_per_dim"].value == pytest.approx(bits, rel=1e-5)


def test_a_squared_error_makes_no_bound(small: Data) -> None:
    measures = evaluate(ist.VAE(epochs=1, likelihood="mse", random_state=0).fit(small.train), small)
    assert {"neg_elbo", "bits_per_dim", "rate"}.isdisjoint(measures)
    assert measures["distortion"].unit == "squared units per example"


def test_a_table_without_labels_has_neither_psnr_nor_probes(table: Data) -> None:
    measures = evaluate(ist.VAE(epochs=1, random_state=0).fit(table.train), table)
    kept = [
        "squared_error",
        "mse",
        "neg_elbo",
        "distortion",
        "rate",
        "trustworthiness",
        "prior_gap",
        "active_units",
    ]
    assert list(measures) == kept


def test_a_model_that_knows_its_columns_is_measured_by_them(table: Data) -> None:
    frame = pd.DataFrame(table.train.x, columns=list(table.columns or ()))
    plain, named = (ist.AE(epochs=1, random_state=0).fit(x) for x in (table.train, frame))
    assert evaluate(named, table)["squared_error"].value == pytest.approx(
        evaluate(plain, table)["squared_error"].value, rel=1e-6
    )


def test_a_frame_is_measured_as_the_array_of_its_numbers(table: Data) -> None:
    frames = replace(
        table,
        train=Part(pd.DataFrame(table.train.x, columns=list(table.columns or ()))),
        test=Part(pd.DataFrame(table.test.x, columns=list(table.columns or ()))),
    )
    alike = {"scaling": "standard", "likelihood": "gaussian", "epochs": 1, "random_state": 0}
    models = [ist.VAE(**alike).fit(data.train) for data in (table, frames)]
    wanted = evaluate(models[0], table)
    for model in models:  # one knows the names of the columns, one does not
        found = evaluate(model, frames)
        assert list(found) == list(wanted)
        for name, measure in found.items():
            assert measure.value == pytest.approx(wanted[name].value, rel=1e-4), name
    reference = evaluate(PCAReference().fit(frames.train), frames)
    of_numbers = evaluate(PCAReference().fit(table.train), table)["mse"].value
    assert reference["mse"].value == pytest.approx(of_numbers, rel=1e-5)


def test_the_reference_leaves_what_pca_leaves(small: Data) -> None:
    measures = evaluate(PCAReference(latent_dim=5).fit(small.train), small)
    x, unseen = (part.x.reshape(len(part), -1) for part in (small.train, small.test))
    pca = PCA(5).fit(x)
    residual = np.square(unseen - pca.inverse_transform(pca.transform(unseen))).sum(1)
    assert measures["squared_error"].value == pytest.approx(residual.mean(), rel=1e-4)
    assert list(measures) == ["squared_error", "mse", "psnr", *CODES]


def test_the_reference_makes_pictures_of_the_shape_that_members_make() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (20, 6, 5), dtype=np.uint8)
    module = PCAReference(latent_dim=2).fit(grey).module_
    assert module.decode(torch.zeros(3, 2)).shape == (3, 1, 6, 5)


def test_few_test_points_have_no_neighbourhood(vae: ist.Estimator, small: Data) -> None:
    assert "trustworthiness" not in evaluate(vae, replace(small, test=small.test.take(slice(10))))


def test_an_empty_test_part_is_refused(vae: ist.Estimator, small: Data) -> None:
    with pytest.raises(
        ist.InputError,
        match=r"digits has no test part to measure on: load it with test_fraction=0\.2",
    ):
        evaluate(vae, replace(small, test=small.test.take(slice(0))))
