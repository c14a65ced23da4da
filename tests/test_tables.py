"""Tables as people have them, from fit to new rows: kinds of columns, and missing cells."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import Column, ExampleSpec
from isthmus.errors import DataWarning, InputError
from isthmus.likelihoods import Columns
from tests.small import small

every_member = pytest.mark.parametrize("name", list(ist.MEMBERS))


def make(name: str, **values: Any) -> Any:
    brief = {"epochs": 2, "random_state": 0, "batch_size": 100, **small(name)}
    return ist.MEMBERS[name](**{**brief, **values})


def population(rows: int, seed: int) -> pd.DataFrame:
    """Rows whose columns all follow two numbers that nobody sees."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(rows, 2))
    cities = np.array(["Oslo", "Paris", "Rome"])
    return pd.DataFrame(
        {
            "age": (45 + 12 * z[:, 0] + 2 * random.normal(size=rows)).round().astype(int),
            "income": np.exp(10 + 0.5 * z[:, 1] + 0.05 * random.normal(size=rows)),
            "visits": random.poisson(np.exp(0.5 + 0.7 * z[:, 0])),
            "member": z[:, 1] + 0.2 * random.normal(size=rows) > 0,
            "city": cities[np.digitize(z[:, 0] + 0.2 * random.normal(size=rows), [-0.5, 0.5])],
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta((200 * (z[:, 1] + 4)).round(), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return population(300, 0)


@pytest.fixture(scope="module")
def gaps(people: pd.DataFrame) -> pd.DataFrame:
    """The same with a tenth of the cells missing."""
    random = np.random.default_rng(1)
    return people.astype({"age": "Int64", "member": "boolean"}).mask(
        random.random(people.shape) < 0.1
    )


@pytest.fixture(scope="module")
def vae(people: pd.DataFrame) -> Any:
    return ist.VAE(latent_dim=4, epochs=150, learning_rate=3e-3, random_state=0).fit(people)


@every_member
def test_every_member_takes_a_table_with_gaps(
    name: str, gaps: pd.DataFrame, tmp_path: Path
) -> None:
    model = make(name)
    if name == "recurrent":
        with pytest.raises(InputError, match=r"column 'since' holds times, so each row is one st"):
            model.fit(gaps)
        return
    model.fit(gaps)
    assert model.likelihood_ == "columns"
    restored = model.reconstruct(gaps)
    assert restored.columns.tolist() == gaps.columns.tolist()
    assert (restored.dtypes == gaps.dtypes).all()
    assert not restored.isna().any(axis=None)
    assert np.isfinite(model.score_samples(gaps)).all()
    assert np.isfinite(model.squared_error(gaps)).all()
    filled = model.impute(gaps)
    assert not filled.isna().any(axis=None)
    pd.testing.assert_frame_equal(filled.where(gaps.notna()), gaps, check_dtype=False)
    again = ist.load(model.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.transform(gaps), model.transform(gaps))
    pd.testing.assert_frame_equal(again.reconstruct(gaps), restored)


def test_what_is_missing_is_neither_read_nor_charged() -> None:
    """The likelihood of a row with gaps is that of the same row without these columns."""
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    model = ist.AE(latent_dim=2, likelihood="gaussian", scaling="none", random_state=0, epochs=3)
    model.fit(x)
    lost = x.copy()
    lost[:, 3:] = np.nan
    module = model.module_
    blank = torch.from_numpy(np.where(np.isnan(lost), x.mean(0), lost))
    means = module(Batch(blank))
    expected = torch.distributions.Normal(means, module.likelihood.log_scale.exp())
    right = expected.log_prob(blank)[:, :3].sum(1).detach().numpy()
    np.testing.assert_allclose(model.score_samples(lost), right, rtol=1e-4)


def test_gaps_pull_nothing(gaps: pd.DataFrame) -> None:
    """A column of gaps alone has no gradient; the mean of the others is that of what is there."""
    x = np.random.default_rng(0).normal(3, 2, size=(200, 4))
    x[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    model = ist.AE(latent_dim=2, epochs=1).fit(x)
    scaling = model.preprocessor_.scaling
    np.testing.assert_allclose(scaling.offset, np.nanmean(x, 0))
    np.testing.assert_allclose(scaling.scale, np.nanstd(x, 0))


def test_columns_are_charged_by_their_own_likelihoods() -> None:
    columns = (
        Column("x", "number"),
        Column("t", "date"),
        Column("n", "count"),
        Column("b", "binary"),
        Column("c", "category", 3),
    )
    spec = ExampleSpec("table", (7,), columns)
    likelihood = Columns(counts="poisson").build(spec)
    eta = torch.tensor([[0.3, -1.0, 0.5, 0.8, 0.1, 0.2, -0.4]])
    x = torch.tensor([[1.0, -0.5, 2.0, 1.0, 0.0, 1.0, 0.0]])
    normal = torch.distributions.Normal(eta[:, :2], 1).log_prob(x[:, :2]).sum(1)
    counts = torch.distributions.Poisson(eta[:, 2].exp()).log_prob(x[:, 2])
    binary = torch.distributions.Bernoulli(logits=eta[:, 3]).log_prob(x[:, 3])
    category = torch.distributions.Categorical(logits=eta[:, 4:]).log_prob(torch.tensor([1]))
    right = -(normal + counts + binary + category)
    torch.testing.assert_close(likelihood.nll(eta, x), right)
    mask = torch.tensor([[True, False, True, True, False, False, False]])
    half = torch.distributions.Normal(eta[:, 0], 1).log_prob(x[:, 0])
    torch.testing.assert_close(likelihood.nll(eta, x, mask), -(half + counts + binary))
    mean = likelihood.mean(eta)
    torch.testing.assert_close(mean[:, 4:], eta[:, 4:].softmax(1))
    drawn = likelihood.draw(eta.expand(4000, -1))
    assert set(drawn[:, 4:].sum(1).tolist()) == {1.0}
    torch.testing.assert_close(drawn.mean(0), mean[0], rtol=0, atol=0.1)
    torch.testing.assert_close(likelihood.mean(likelihood.parameters_for(mean)), mean)


def test_a_vae_learns_a_mixed_table(vae: Any, people: pd.DataFrame) -> None:
    others = population(300, 5)
    restored = vae.reconstruct(others)
    assert (restored["city"] == others["city"]).mean() > 0.85
    assert (restored["member"] == others["member"]).mean() > 0.85
    assert np.corrcoef(restored["age"], others["age"])[0, 1] > 0.9
    days = (restored["since"] - others["since"]).dt.days
    assert days.std() < 0.5 * 200


def test_new_rows_look_like_those_of_the_table(vae: Any, people: pd.DataFrame) -> None:
    rows = vae.sample(3000, random_state=0)
    assert (rows.dtypes == people.dtypes).all()
    shares = rows["city"].value_counts(normalize=True)
    for city, share in people["city"].value_counts(normalize=True).items():
        assert abs(shares[city] - share) < 0.1
    assert abs(rows["age"].mean() - people["age"].mean()) < 4
    assert rows["age"].between(people["age"].min(), people["age"].max()).all()
    assert (rows["since"].dt.normalize() == rows["since"]).all()
    older = rows["age"][rows["city"] == "Rome"].mean() - rows["age"][rows["city"] == "Oslo"].mean()
    assert older > 15
    assert not vae.sample(5, random_state=0).equals(vae.sample(5, random_state=1))


def test_some_cells_of_new_rows_can_be_given(vae: Any, people: pd.DataFrame) -> None:
    rows = vae.sample(400, condition={"city": "Rome"}, random_state=0)
    assert (rows["city"] == "Rome").all()
    assert abs(rows["age"].mean() - people["age"][people["city"] == "Rome"].mean()) < 5
    assert (rows.dtypes == people.dtypes).all()
    rows = vae.sample(50, condition={"member": True, "age": 40}, random_state=0)
    assert rows["member"].all()
    assert (rows["age"] == 40).all()
    with pytest.raises(InputError, match="unknown value of column 'city' 'Lima'"):
        vae.sample(3, condition={"city": "Lima"})
    with pytest.raises(InputError, match="unknown column 'town'"):
        vae.sample(3, condition={"town": "Rome"})
    with pytest.warns(DataWarning, match=r"only about \d+ of 4,096 codes from the prior agree"):
        vae.sample(100, condition={"income": 1e7, "age": 20, "city": "Rome", "visits": 900})


def test_missing_cells_are_filled_better_than_by_the_mean() -> None:
    people, others = population(600, 0), population(400, 2)
    gone = np.random.default_rng(3).random(others.shape) < 0.2
    model = ist.VAE(latent_dim=4, epochs=80, learning_rate=3e-3, random_state=0).fit(people)
    filled = model.impute(others.astype({"age": "Int64", "member": "boolean"}).mask(gone))
    lost = gone[:, list(others.columns).index("age")]
    error = (filled["age"] - others["age"])[lost].astype(float)
    assert error.std() < 0.85 * others["age"].std()
    lost = gone[:, list(others.columns).index("city")]
    assert (filled["city"] == others["city"])[lost].mean() > 0.6  # the most frequent: 0.38


def test_arrays_can_be_read_as_tables() -> None:
    random = np.random.default_rng(0)
    x = np.c_[random.normal(size=(80, 2)), random.integers(0, 2, 80)]
    model = ist.VAE(kind="table", epochs=2, random_state=0).fit(x)
    assert [column.kind for column in model.preprocessor_.spec.columns] == [
        "number",
        "number",
        "binary",
    ]
    restored = model.reconstruct(x)
    assert isinstance(restored, np.ndarray)
    assert set(restored[:, 2]) <= {0.0, 1.0}
    assert isinstance(model.sample(3), np.ndarray)


def test_kinds_of_columns_can_be_chosen(people: pd.DataFrame) -> None:
    model = ist.VAE(columns={"visits": "category", "since": "skip"}, epochs=1).fit(people)
    kinds = {column.name: column.kind for column in model.preprocessor_.spec.columns}
    assert kinds["visits"] == "category"
    assert "since" not in kinds
    assert model.sample(4)["since"].isna().all()
    assert (model.reconstruct(people)["since"] == people["since"]).all()
    with pytest.raises(InputError, match=r"columns=.* says what the columns of a table are, but X"):
        ist.AE(columns={"a": "number"}).fit(np.zeros((4, 2)))


def test_a_table_is_no_picture() -> None:
    """Columns that were min-max-scaled are judged as they were before."""
    random = np.random.default_rng(0)
    x = random.lognormal(size=(300, 4))
    scaled = (x - x.min(0)) / (x.max(0) - x.min(0))
    first, second = (ist.VAE(epochs=3, random_state=0).fit(values) for values in (x, scaled))
    assert first.likelihood_ == second.likelihood_ == "gaussian"
    np.testing.assert_allclose(first.score_samples(x), second.score_samples(scaled), atol=1e-3)
    bits = (x > 1).astype(float)
    assert ist.AE(epochs=1).fit(bits).likelihood_ == "bernoulli"


def test_later_rows_may_lie_outside_the_range_of_training() -> None:
    x = np.random.default_rng(0).random((200, 4))
    for values in ({}, {"scaling": "minmax"}, {"scaling": "none"}, {"likelihood": "bernoulli"}):
        if "likelihood" in values:
            values = values | {"scaling": "minmax"}
        model = ist.VAE(epochs=3, random_state=0, **values).fit(x)
        worse = [model.score_samples(x * factor).mean() for factor in (1, 10, 100)]
        assert worse[0] > worse[1] > worse[2]
        assert model.nll(x * 100, samples=8).mean() > model.nll(x, samples=8).mean()


def test_what_was_min_max_scaled_in_float64_lies_in_the_unit_range() -> None:
    x = np.random.default_rng(0).random((50, 3)) * 7
    scaled = (x - x.min(0)) / (x.max(0) - x.min(0))
    scaled[scaled == 1] += 2.3e-16  # as scikit-learn's MinMaxScaler leaves it
    assert scaled.max() > 1
    assert ist.AE(likelihood="bernoulli", epochs=1).fit(scaled).preprocessor_.spec.support == "unit"


def test_a_row_without_any_value_is_the_mean_and_a_column_without_any_is_said() -> None:
    x = np.random.default_rng(0).normal(3, 2, (60, 4))
    model = ist.AE(epochs=2, random_state=0).fit(x)
    alone, among = np.full((1, 4), np.nan), np.vstack([x[:5], np.full((1, 4), np.nan)])
    np.testing.assert_allclose(model.transform(alone)[0], model.transform(among)[5], atol=1e-6)
    x[:, 2] = np.nan
    with pytest.warns(
        DataWarning, match=r"column 2 of X .* holds no value, only gaps, and so do 0"
    ):
        ist.AE(epochs=1, random_state=0).fit(x)
    with pytest.raises(InputError, match="X holds no value, only gaps: fill some in"):
        ist.AE(epochs=1).fit(np.full((9, 2), np.nan))


def test_masks_of_uint8_are_not_divided_by_255() -> None:
    mask = np.random.default_rng(0).integers(0, 2, (120, 8, 8), dtype=np.uint8)
    for x in (mask, mask.reshape(120, 64)):
        model = ist.AE(latent_dim=64, epochs=1, random_state=0).fit(x)
        inside = next(model._batches(x).chunks()).x
        assert inside.unique().tolist() == [0.0, 1.0]
        assert model.likelihood_ == "bernoulli"
    dim = np.random.default_rng(0).integers(0, 17, (40, 8, 8), dtype=np.uint8)
    with pytest.warns(DataWarning, match="X is uint8, but reaches 16 at most"):
        ist.AE(epochs=1).fit(dim)


def test_a_wild_cell_spoils_nothing_under_robust_scalings() -> None:
    x = np.random.default_rng(0).normal(5, 2, (300, 3))
    wild = x.copy()
    wild[7, 1] = 1e30
    with pytest.warns(
        DataWarning, match=r"column 1 of X .* holds 1e\+30, beside which all its oth"
    ):
        ist.AE(epochs=1, random_state=0).fit(wild)
    rare = np.eye(300)[:, :2]  # a column that is 1 in a single row is no slip
    ist.AE(scaling="standard", epochs=1, random_state=0).fit(rare)
    for scaling in ("robust", "quantile"):
        model = ist.AE(latent_dim=3, scaling=scaling, epochs=60, learning_rate=5e-3, random_state=0)
        restored = model.fit(wild).reconstruct(x)
        assert np.abs(restored - x).mean() < 1


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
def test_a_curved_scaling_leads_there_and_back(scaling: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).lognormal(0, 1.5, (500, 2))
    model = ist.AE(scaling=scaling, epochs=1, random_state=0).fit(x)
    again = ist.load(model.save(tmp_path / "run")).preprocessor_.scaling
    inside = again.transform(x)
    assert abs(np.median(inside)) < 0.01
    assert inside.std() < 1.6
    near = np.abs(inside) < 2.5
    np.testing.assert_allclose(again.inverse_transform(inside)[near], x[near], rtol=1e-3)


def test_a_model_that_learnt_nothing_says_so() -> None:
    x = np.random.default_rng(0).random((100, 6, 6)).astype(np.float32) * 1e-3
    with pytest.warns(UserWarning, match="hardly better than the mean of the data"):
        ist.AE(latent_dim=8, epochs=3, random_state=0).fit(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ist.AE(latent_dim=4, epochs=40, random_state=0).fit(np.linspace(0, 1e-3, 400)[:, None])


def test_an_array_stands_for_a_table_of_numbers_alone() -> None:
    random = np.random.default_rng(0)
    numbers = pd.DataFrame(random.normal(size=(40, 3)), columns=["a", "b", "c"])
    model = make("ae").fit(numbers)
    with pytest.warns(UserWarning, match="valid feature names"):
        codes = model.transform(numbers.to_numpy())
    np.testing.assert_array_equal(codes, model.transform(numbers))
    rows = torch.utils.data.TensorDataset(torch.zeros(5, 3))
    with (
        pytest.warns(UserWarning, match="valid feature names"),
        pytest.raises(InputError, match="read a few rows at a time, but the model was trained on"),
    ):
        model.transform(rows)
    for kind, cells in {
        "holds categories": random.choice(["x", "y"], 40),
        "holds dates": pd.date_range("2024", periods=40),
        "was left out": np.arange(40),
    }.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = make("ae").fit(numbers.assign(id=cells))
            with pytest.raises(InputError, match=f"'id' of training {kind}: give a pandas"):
                model.transform(random.normal(size=(5, 4)))


def test_who_is_told_the_label_is_told_no_cells() -> None:
    rows = population(60, 0)
    model = make("vae", condition="label").fit(rows, rows["city"])
    with pytest.raises(InputError, match="is told its label of each example: pass those"):
        model.sample(3, condition={"city": "Paris"})


@pytest.mark.parametrize(("columns", "size"), [(1, 2), (4, 2), (5, 3), (8, 4), (40, 16)])
def test_a_table_decides_the_size_of_a_code_that_nobody_gave(columns: int, size: int) -> None:
    kinds = tuple(Column(f"c{place}", "category", 3) for place in range(columns))
    table = ExampleSpec("table", (3 * columns,), kinds)
    for cls in (ist.AE, ist.VAE, ist.AAE, ist.WAE, ist.ContractiveAE):
        assert cls().build(table).bottleneck.code_shape == (size,)
        assert cls(latent_dim=3).build(table).bottleneck.code_shape == (3,)
    told = ExampleSpec("table", table.shape, kinds, missing=0.1)  # of which more is hidden
    assert ist.AE().build(told).bottleneck.code_shape == (16,)
    assert ist.VAE().build(told).bottleneck.code_shape == (size,)
    # members that have a size of their own keep it, and so do rows that are no table
    assert ist.DenoisingAE().build(table).bottleneck.code_shape == (32,)
    assert ist.VAE().build((3 * columns,)).bottleneck.code_shape == (2,)
    assert ist.VAE().build((1, 28, 28)).bottleneck.code_shape == (2,)


def test_small_tables_are_gone_through_more_often() -> None:
    table = ExampleSpec("table", (1,), (Column("c", "number"),))
    vector = ExampleSpec("vector", (1,))

    def epochs(model: Any, spec: ExampleSpec, rows: int) -> Any:
        return model._suited(spec, rows).epochs

    assert epochs(ist.VAE(), table, 200) == 1000  # two steps each
    assert epochs(ist.VAE(batch_size=100), table, 1000) == 200
    assert epochs(ist.VAE(), table, 128_000) == 30
    assert epochs(ist.VAE(), vector, 200) == 30
    assert epochs(ist.VAE(epochs=5), table, 200) == 5


def test_what_a_table_decided_is_no_setting(people: pd.DataFrame, tmp_path: Path) -> None:
    model = ist.VAE(epochs=2, random_state=0).fit(people)
    assert model.latent_dim is None
    assert model.transform(people).shape == (300, 3)  # six columns
    again = ist.load(model.save(tmp_path / "run"))
    assert again.latent_dim is None
    pd.testing.assert_frame_equal(again.sample(9, random_state=0), model.sample(9, random_state=0))
    longer = again.set_params(warm_start=True, epochs=1).fit(people)
    assert [row["epoch"] for row in longer.history_] == [1, 2, 3]
